"""`python -m device_sim` is the program `device-sim`."""

from device_sim.cli import main

main()
