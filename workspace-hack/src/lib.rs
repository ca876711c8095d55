//! Nothing: this package only unifies the features of dependencies (see its Cargo.toml).
