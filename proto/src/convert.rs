//! One boundary: bytes become domain types here, with a limit on every length.
