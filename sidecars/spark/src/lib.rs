//! The router to the model box
