//! Read access of each principal. The service uses it to give sessions their roots. The tools check it again, because a
//! stored session may be older than the settings. It does not change after the start, so a crash loses nothing.

use std::collections::HashMap;
use std::sync::Arc;

use actors::ids::Principal;
use actors::tool::{Root, ToolContext, ToolError};

use super::analyzed::{DEFAULT_MEMORY, Memory};
use crate::workspace::{self, Limits, Workspace};

/// Cheap to clone.
#[derive(Clone)]
pub struct ReadAccess {
    pub limits: Limits,
    /// The memory budget of all analyses.
    pub memory: Arc<Memory>,
    /// The roots of the server.
    everybody: Arc<[Root]>,
    /// The roots of principals with narrower access.
    narrowed: Arc<HashMap<Principal, Arc<[Root]>>>,
}

impl ReadAccess {
    pub fn of(workspace: &Workspace) -> Self {
        Self {
            limits: workspace.limits,
            memory: Memory::new(DEFAULT_MEMORY),
            everybody: to_actors(&workspace.roots),
            narrowed: Arc::default(),
        }
    }

    #[must_use]
    pub fn with_memory(self, bytes: usize) -> Self {
        Self {
            memory: Memory::new(bytes),
            ..self
        }
    }

    /// Each principal's roots must be inside the server's.
    pub fn narrowed(
        self,
        principals: impl IntoIterator<Item = (Principal, Vec<workspace::Root>)>,
    ) -> Self {
        let narrowed = principals
            .into_iter()
            .map(|(principal, roots)| (principal, to_actors(&roots)));
        Self {
            narrowed: Arc::new(narrowed.collect()),
            ..self
        }
    }

    /// The roots of the principal.
    pub fn roots(&self, principal: &Principal) -> Arc<[Root]> {
        Arc::clone(self.narrowed.get(principal).unwrap_or(&self.everybody))
    }

    /// The same, in the form that resolves paths.
    pub fn workspace(&self, principal: &Principal) -> Workspace {
        open(&self.roots(principal), self.limits)
    }

    /// The roots of a call's session. Fails if the principal no longer has access to one of them.
    pub(super) fn open(&self, ctx: &ToolContext) -> Result<Workspace, ToolError> {
        let allowed = self.roots(&ctx.principal);
        let is_allowed = |root: &Root| {
            let mut all = allowed.iter();
            all.any(|all| root.path.starts_with(&all.path))
        };
        match ctx.roots.iter().find(|root| !is_allowed(root)) {
            None => Ok(open(&ctx.roots, self.limits)),
            Some(root) => Err(ToolError::new(
                "path_outside_roots",
                format!(
                    "the session has the root `{}`, which you may no longer read; call create_session",
                    root.name
                ),
            )),
        }
    }
}

fn open(roots: &[Root], limits: Limits) -> Workspace {
    let roots = roots.iter().map(|root| workspace::Root {
        name: root.name.clone(),
        path: root.path.clone(),
    });
    Workspace::from_roots(roots.collect()).with_limits(limits)
}

/// The roots of a workspace, in the form that sessions use.
pub fn to_actors(roots: &[workspace::Root]) -> Arc<[Root]> {
    let roots = roots.iter().map(|root| Root {
        name: root.name.clone(),
        path: root.path.clone(),
    });
    roots.collect()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::{Duration, Instant};

    use super::*;

    fn root(path: &str) -> workspace::Root {
        workspace::Root {
            name: path.trim_start_matches('/').to_owned(),
            path: PathBuf::from(path),
        }
    }

    fn reach() -> ReadAccess {
        let all = Workspace::from_roots(vec![root("/a"), root("/b")]);
        ReadAccess::of(&all).narrowed([(Principal::named("ben"), vec![root("/a/in")])])
    }

    fn opened(name: &str, roots: &[&str]) -> Result<Vec<String>, String> {
        let roots: Vec<_> = roots.iter().map(|path| root(path)).collect();
        let ctx = ToolContext {
            principal: Principal::named(name),
            roots: to_actors(&roots),
            cancel: tokio_util::sync::CancellationToken::new(),
            deadline: Instant::now() + Duration::from_secs(60),
            progress: actors::tool::ProgressSink::default(),
            cache: actors::cache::CacheHandle::none(),
            results: actors::results::ResultReader::default(),
            keep_whole: false,
            care: None,
        };
        let opened = reach().open(&ctx).map_err(|error| error.reason)?;
        Ok(opened.roots.into_iter().map(|root| root.name).collect())
    }

    #[test]
    fn a_session_with_a_root_outside_of_its_access_is_refused() {
        let outside = Err("path_outside_roots".to_owned());
        assert_eq!(
            opened("ann", &["/a", "/b/in"]),
            Ok(vec!["a".into(), "b/in".into()])
        );
        assert_eq!(opened("ann", &["/a", "/c"]), outside);
        assert_eq!(opened("ben", &["/a/in/deep"]), Ok(vec!["a/in/deep".into()]));
        for roots in [&["/a"][..], &["/a/in", "/b"], &["/a/in-other"], &["/"]] {
            assert_eq!(opened("ben", roots), outside, "{roots:?}");
        }
    }

    #[test]
    fn named_principals_are_narrowed_and_others_read_all() {
        let names = |name: &str| -> Vec<String> {
            let roots = reach().roots(&Principal::named(name));
            roots.iter().map(|root| root.name.clone()).collect()
        };
        assert_eq!(names("ann"), ["a", "b"]);
        assert_eq!(names("ben"), ["a/in"]);
        let paths: Vec<_> = reach().workspace(&Principal::named("ben")).roots;
        assert_eq!(paths, [root("/a/in")]);
    }
}
