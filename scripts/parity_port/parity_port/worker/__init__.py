"""A worker: answers what parity asks of a port, over the protocol of docs/PORT.md. One file for each framework."""
