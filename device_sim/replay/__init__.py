"""`device-sim replay`: a recording sent again with the times it was recorded at."""
