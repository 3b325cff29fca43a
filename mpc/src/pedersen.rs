//! Pedersen: vector commitments on Ristretto to a server's output share, and sums of them.
