//! Who owns which kinds. A kind that is missing from [`owns!`] cannot stand among its owner's
//! [`Resources`](crate::tick::Resources), and what is there the owner may do: so whatever a function makes, it may
//! make.
//!
//! [`owns!`]: crate::owns

use std::collections::BTreeSet;

use crate::permission::{Permission, Scope};
use crate::resource::Resource;

/// The owner of kinds: a function. Implemented by [`owns!`](crate::owns) alone.
pub trait Owner {
    /// The kinds, by the names of their Rust types. A test of each function holds them against
    /// [`Resources::kinds`](crate::tick::Resources::kinds), so that nothing is permitted that nothing uses.
    fn kinds() -> BTreeSet<&'static str>;

    /// What its kinds need, each statement once.
    fn permissions_of_kinds(scope: &Scope) -> Vec<Permission>;
}

/// A kind of the owner `O`. Implemented by [`owns!`](crate::owns) alone.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not among the kinds of `{O}`",
    note = "list it in `owns!`: what its owner may do follows from that list"
)]
pub trait OwnedBy<O>: Resource {}

/// Stands for an owner whose permissions are nobody's concern: in tests.
#[derive(Debug)]
pub enum Anybody {}

impl<R: Resource> OwnedBy<Anybody> for R {}

/// Says which kinds an owner has, in any of its stages: `owns!(Clients: Subnet, Vpc)`.
#[macro_export]
macro_rules! owns {
    ($owner:ty: $($kind:ty),+ $(,)?) => {
        $(impl $crate::owner::OwnedBy<$owner> for $kind {})+

        impl $crate::owner::Owner for $owner {
            fn kinds() -> ::std::collections::BTreeSet<&'static str> {
                [$(::std::any::type_name::<$kind>()),+].into()
            }

            fn permissions_of_kinds(
                scope: &$crate::permission::Scope,
            ) -> Vec<$crate::permission::Permission> {
                let of_kinds = [$(<$kind as $crate::resource::Resource>::permissions(scope)),+];
                let mut all = Vec::new();
                for permission in of_kinds.into_iter().flatten() {
                    if !all.contains(&permission) {
                        all.push(permission);
                    }
                }
                all
            }
        }
    };
}
