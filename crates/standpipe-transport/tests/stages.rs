//! The stage table of ARCHITECTURE.md, cell by cell as far as it can be seen from outside.

#[path = "stages/accepted.rs"]
mod accepted;
#[path = "stages/acquiring.rs"]
mod acquiring;
#[path = "stages/body_ended.rs"]
mod body_ended;
#[path = "stages/head_delivered.rs"]
mod head_delivered;
#[path = "stages/returned_unsent.rs"]
mod returned_unsent;
#[path = "stages/selected.rs"]
mod selected;
mod support;
