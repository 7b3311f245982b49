/// What a host says of a setting that the pool has too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Setting<T> {
    /// Nothing: the pool's holds.
    #[default]
    Inherit,
    /// Off for this host, whatever the pool's is.
    Off,
    /// This one, in place of the pool's.
    Set(T),
}

impl<T> Setting<T> {
    /// What holds for the host, where the pool has `inherited`.
    pub(crate) fn or(self, inherited: Option<T>) -> Option<T> {
        match self {
            Self::Inherit => inherited,
            Self::Off => None,
            Self::Set(own) => Some(own),
        }
    }
}
