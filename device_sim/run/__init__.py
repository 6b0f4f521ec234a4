"""`device-sim run`: a fleet sends, dashboards watch, figures come out.

plan        what is to be run: the simple fleet, or a scenario
identities  who each device and dashboard is to its peer
worker      one process: publisher, dashboards, measurements, to a RunResult
dashboards    the dashboards of a process
loop_lag    whether the simulator itself was the bottleneck
processes   several workers that begin together
snapshot    the figures of a moment; live shows them
program     the command, from its options to the exit status
"""
