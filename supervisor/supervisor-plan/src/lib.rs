//! The pure planner
