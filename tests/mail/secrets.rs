//! TLS and logins: who is trusted, and what is never sent in the open.
