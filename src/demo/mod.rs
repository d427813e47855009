//! A believable marketplace for an empty database, made through the same commands the API uses.

pub mod content;
