"""What a run measures, and what is made of it.

results       a run's figures, recorded, merged, and carried between processes
histogram     latencies; `timeline` counts and latencies second by second
intended      when a message was meant to be sent, for those who see it delivered
stored        how long until the database shows a reading, by samples
own_lag       whether the simulator itself was the bottleneck
expectations  figures against a scenario's bounds
"""
