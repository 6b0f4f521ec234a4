"""The benchmarks: `make bench`. What each measures stands at the head of its module; none of them is a test."""
