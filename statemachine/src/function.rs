//! The Lambda functions of the engine.

use std::fmt;

/// The list of all functions: the enum, [`Function::ALL`] and the names are made of it, so that none is left out.
macro_rules! functions {
    ($($(#[$doc:meta])* $variant:ident = $name:literal),+ $(,)?) => {
        /// A Lambda function of the engine: a crate below `functions/`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Function {
            $($(#[$doc])* $variant,)+
        }

        impl Function {
            /// All functions.
            pub const ALL: [Function; [$($name),+].len()] = [$(Function::$variant),+];

            /// As it stands in names and texts: `network`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Function::$variant => $name,)+
                }
            }
        }
    };
}

functions! {
    /// What begins, joins and finishes a run.
    Control = "control",
    /// The stage foundation.
    Foundation = "foundation",
    /// The stages network and egress.
    Network = "network",
    /// The stage certificate.
    Certificate = "certificate",
    /// The stage database.
    Database = "database",
    /// The stage ingress.
    Ingress = "ingress",
    /// The stage services.
    Services = "services",
    /// What gathers the cause of a failure.
    Diagnose = "diagnose",
}

impl Function {
    /// The function with this name.
    pub fn named(name: &str) -> Option<Self> {
        Function::ALL.into_iter().find(|function| function.name() == name)
    }
}

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
