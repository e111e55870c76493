"""What connector authors import: the contract suite, the simulator base, fault injection."""
