//! Retry as a tower layer for HTTP clients: reads the answer, keeps to the deadline, has a budget.
