//! Whoever does not belong to the class does not disturb it.

use super::*;
