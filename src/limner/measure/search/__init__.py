"""`limner bench search`: every index of limner and its peers on collections as large as wanted, in one run."""
