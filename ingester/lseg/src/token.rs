//! Tokens of LSEG's cloud.
