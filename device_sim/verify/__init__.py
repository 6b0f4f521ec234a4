"""The proof: what ledgers say was sent and acknowledged, compared with what rests in the database.

Two halves. The database compares (`database` puts the ledgers up by COPY into temporary tables, `*.sql` join them with
the stored rows there, so a million readings take seconds) and `judge`, a pure function, says what the counts mean. Both
have tests with seeded violations: a checker that has never failed proves nothing.

`verify` is imported from `database` by who needs it: SQLAlchemy and asyncpg are 20 MiB that a fleet does without.
"""

from device_sim.verify.judge import Example, TimedCount, UntimedCount, Verdict, judge

__all__ = ["Example", "TimedCount", "UntimedCount", "Verdict", "judge"]
