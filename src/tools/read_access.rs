//! What may be read, and by whom. The same for the service, which gives sessions their roots, and for the tools, which
//! look again: a session may have been made under other settings, and outlives them in its store. Fixed at the start,
//! so a crash costs it nothing.

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
    /// What analyses may take, all calls together.
    pub memory: Arc<Memory>,
    /// The server's own.
    everybody: Arc<[Root]>,
    /// Of principals from whom some of it was taken away.
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

    /// Each principal's roots must lie inside of everybody's.
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

    /// All that the principal may read.
    pub fn roots(&self, principal: &Principal) -> Arc<[Root]> {
        Arc::clone(self.narrowed.get(principal).unwrap_or(&self.everybody))
    }

    /// The same, as paths are looked up in.
    pub fn workspace(&self, principal: &Principal) -> Workspace {
        open(&self.roots(principal), self.limits)
    }

    /// What a call may read: its session's roots, of which none may have been taken away since it was made.
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
                    "the session was made to read the root `{}`, which may not be read any more; call create_session",
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

/// The roots of a workspace, as sessions know them.
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
    fn a_session_that_was_made_to_read_more_than_may_be_read_now_reads_nothing() {
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
    fn who_is_not_named_reads_all_and_who_is_reads_what_is_said() {
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
