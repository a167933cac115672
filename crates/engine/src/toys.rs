//! test detectors
