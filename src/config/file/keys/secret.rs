use crate::config::file::key::{Kind, Spec, required};

/// A secret in the file, from the environment, or in a file of its own.
pub(crate) const SECRET: Kind = Kind::Either(&[Kind::Text("a secret"), Kind::Table(&SECRET_FILE)]);

static SECRET_FILE: Spec = Spec {
    title: "a secret",
    doc: "A secret in a file of its own; one line end after it does not count.",
    keys: &[required("file", Kind::Text("a path"), "Where it is.")],
};
