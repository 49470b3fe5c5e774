//! What passes between two versions, from outside: each side against one that was written from the description alone.
