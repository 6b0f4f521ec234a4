"""A scenario's messages and what happens to connections, in the order of time; nothing is sent here.

schedule          all of a fleet, merged
windows           whose turn it is; a window is worked out at once
herd              the devices of one class: when they measure and what
member            one device: its faults, what becomes of its measurements
clock             its clock, right or wrong
connection_times  when its connection comes and goes
roster            who is in the fleet, and who has which fault
fleet             the simple fleet of `--devices` and `--rate`, as a scenario
"""
