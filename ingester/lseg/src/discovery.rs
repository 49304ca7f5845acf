//! Endpoints of LSEG's cloud.
