//! The platform on real Docker, in a real browser, against real counterparts
