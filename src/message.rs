//! How errors show themselves.
//!
//! A program whose `main` returns an error, and an `unwrap`, print the `Debug` of it: people read it, so it is the message.

/// Makes the `Debug` of an error its message.
macro_rules! debug_is_message {
    ($error:ty) => {
        impl std::fmt::Debug for $error {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }
    };
}
