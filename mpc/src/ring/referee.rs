//! Referee: who broke the rules of a round, from what the pupils say of each other.
