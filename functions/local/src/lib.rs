//! The parts of AWS, and the broker, on this machine.
