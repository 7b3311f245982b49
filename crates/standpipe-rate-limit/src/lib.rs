//! A fair rate limit as a tower layer: shared by clones, told by the server, per cost.
