use std::sync::Arc;

use standpipe_core::Origin;
use standpipe_router::{HostRouter, NewHost};

use super::bottom::Bottom;
use super::host_layer::HostContext;
use super::host_stack::NewHostStack;
use super::parts::{HostParts, HostService};
use super::settings::{HostSettings, HostTable};

/// Makes the stack of a host when the first request for it comes.
#[derive(Clone, Debug)]
pub struct MakeHostStack<H, T> {
    stack: H,
    bottom: T,
    settings: Arc<HostSettings>,
}

/// The hosts' stacks, each made at the first request to it.
pub type Hosts<H, T> = HostRouter<
    MakeHostStack<H, T>,
    HostService<<H as NewHostStack<<T as Bottom>::Service>>::Service>,
>;

impl<H, T> MakeHostStack<H, T>
where
    T: Bottom,
    H: NewHostStack<T::Service>,
{
    pub(crate) fn new(stack: H, bottom: T, settings: Arc<HostSettings>) -> Self {
        Self {
            stack,
            bottom,
            settings,
        }
    }

    fn make(&self, origin: &Origin, before: Option<&HostParts>) -> HostService<H::Service> {
        let settings = &*self.settings;
        loop {
            let table = settings.table();
            let made = self.make_of(&table, origin, before);
            // The race: the settings have changed meanwhile, and another thread has applied the new
            // ones to what the stacks of a host share. What was applied here may have come after.
            if Arc::ptr_eq(&table, &settings.table()) {
                return made;
            }
        }
    }

    fn make_of(
        &self,
        table: &HostTable,
        origin: &Origin,
        before: Option<&HostParts>,
    ) -> HostService<H::Service> {
        let settings = &*self.settings;
        let own = table.of(origin);
        let recorder = settings.measured.then(|| settings.registry.host(origin));
        let mut host = HostContext {
            origin,
            settings: own,
            hooks: &settings.hooks,
            registry: &settings.registry,
            decompress: &settings.decompress,
            closing: &settings.closing,
            recorder: recorder.as_ref(),
            before,
            parts: HostParts::with_headers(own.headers.clone()),
        };
        let bottom = self.bottom.origin(origin, &settings.closing);
        let deadlines = T::HOLDS_TO_DEADLINES;
        let stack = self.stack.new_stack(&mut host, bottom.clone(), deadlines);
        T::configure(&bottom, own.max_connections);
        HostService::new(stack, host.parts)
    }
}

impl<H, T> NewHost for MakeHostStack<H, T>
where
    T: Bottom,
    H: NewHostStack<T::Service>,
{
    type Service = HostService<H::Service>;

    fn new_host(&self, origin: &Origin) -> Self::Service {
        self.make(origin, None)
    }
}

/// The hosts of a pool, whatever the type of their stacks.
pub(crate) trait KnownHosts: Send + Sync {
    /// The parts of `origin`, where it is known.
    fn parts(&self, origin: &Origin) -> Option<Arc<HostParts>>;

    /// All that are known at this moment.
    fn all(&self) -> Vec<(Origin, Arc<HostParts>)>;

    /// Makes the stacks anew of those for which `which` is true.
    fn rebuild(&self, which: &dyn Fn(&Origin) -> bool);
}

/// The router with what makes its hosts.
pub(crate) struct Known<H, T>
where
    T: Bottom,
    H: NewHostStack<T::Service>,
{
    pub(crate) hosts: Hosts<H, T>,
    pub(crate) make: MakeHostStack<H, T>,
}

impl<H, T> KnownHosts for Known<H, T>
where
    T: Bottom,
    H: NewHostStack<T::Service>,
{
    fn parts(&self, origin: &Origin) -> Option<Arc<HostParts>> {
        let host = self.hosts.get(origin)?;
        Some(Arc::clone(host.parts()))
    }

    fn all(&self) -> Vec<(Origin, Arc<HostParts>)> {
        let hosts = self.hosts.hosts().into_iter();
        hosts
            .map(|(origin, host)| (origin, Arc::clone(host.parts())))
            .collect()
    }

    fn rebuild(&self, which: &dyn Fn(&Origin) -> bool) {
        let mut replaced = Vec::new();
        self.hosts.rebuild(|origin, host| {
            let before = which(origin).then(|| host.parts())?;
            replaced.extend(
                before
                    .circuit
                    .clone()
                    .map(|circuit| (origin.clone(), circuit)),
            );
            Some(self.make.make(origin, Some(before)))
        });
        // What was made may have lost to another change of the settings: which circuit a host has is
        // known now, and one that it has no more never comes back.
        for (origin, circuit) in replaced {
            let now = self.parts(&origin);
            circuit.give_way(now.as_ref().and_then(|parts| parts.circuit.as_ref()));
        }
    }
}
