//! One step of a path: from a module to the meaning of one name in it.

use super::*;

impl Walk<'_> {
    pub(super) fn alternatives(&self, module: u32) -> Vec<u32> {
        let modules = &self.rust.tree.modules;
        let parent = modules[module as usize].parent;
        let siblings = parent.and_then(|parent| {
            let children = &modules[parent as usize].children;
            children
                .values()
                .find(|children| children.len() > 1 && children.contains(&module))
        });
        siblings.cloned().unwrap_or_else(|| vec![module])
    }

    /// An item or a re-export, in the first of the modules that has it.
    pub(super) fn step(&self, frontier: &[u32], name: &str, is_last: bool, depth: u32) -> Place {
        let mut unknown = None;
        for at in frontier {
            match self.step_in(*at, name, is_last, depth) {
                Place::Unknown(reason) => {
                    unknown.get_or_insert(Place::Unknown(reason));
                }
                found @ (Place::Module(_) | Place::Item(_) | Place::External(..)) => return found,
            }
        }
        unknown.unwrap_or_else(no_parent)
    }

    pub(super) fn step_in(&self, at: u32, name: &str, is_last: bool, depth: u32) -> Place {
        if let Some(place) = self.named(at, name, is_last, None, depth) {
            return place;
        }
        match self.through_globs(at, name, None, depth) {
            Some(Place::Module(module)) if !self.leaves(at, module) => {
                return Place::Module(module);
            }
            Some(_) => return Place::Item(at),
            None => {}
        }
        if self.foreign_glob(at, None, depth).is_some() {
            return Place::Item(at);
        }
        if self.is_declared_elsewhere(at, name) {
            return Place::Unknown(format!(
                "module_not_analyzed: the file of module `{name}` is not among the analysed ones"
            ));
        }
        // A macro may make the last segment, or a type whose parts are named.
        if is_last || name.starts_with(char::is_uppercase) {
            return Place::Item(at);
        }
        Place::Unknown(format!(
            "no_such_module: no module `{name}` in {}",
            self.path_of(at)
        ))
    }

    /// In another package than the importing one.
    fn is_abroad(&self, at: u32) -> bool {
        let package = self.rust.tree.package_of(at);
        package.is_some() && package != self.home
    }

    /// From another package into a third one, which is a dependency of the second, not of the importer.
    fn leaves(&self, at: u32, to: u32) -> bool {
        self.is_abroad(at) && self.rust.tree.package_of(at) != self.rust.tree.package_of(to)
    }

    pub(super) fn path_of(&self, module: u32) -> &str {
        self.rust
            .files
            .path(self.rust.tree.modules[module as usize].file)
    }

    /// `mod name;` exists, but its file is missing.
    pub(super) fn is_declared_elsewhere(&self, at: u32, name: &str) -> bool {
        let module = &self.rust.tree.modules[at as usize];
        let imports = &self.rust.files.analysis(module.file).imports;
        imports.iter().any(|import| {
            import.kind == ImportKind::Module
                && import
                    .names
                    .first()
                    .is_some_and(|declared| declared == name)
        })
    }

    /// A child, an item, or a name that an import of the module binds.
    pub(super) fn named(
        &self,
        at: u32,
        name: &str,
        is_last: bool,
        asking: Option<&Import>,
        depth: u32,
    ) -> Option<Place> {
        let tree = &self.rust.tree;
        let module = &tree.modules[at as usize];
        if let Some(child) = module.children.get(name).and_then(|found| found.first()) {
            return Some(Place::Module(*child));
        }
        if let Some(bound) = module.bound.get(name) {
            let imports = &self.rust.files.analysis(module.file).imports;
            let bound = bound
                .iter()
                .filter_map(|number| imports.get(*number as usize));
            let is_crate = bound
                .clone()
                .any(|import| import.kind == ImportKind::ExternCrate);
            let found = bound
                .filter(|import| !asking.is_some_and(|asking| std::ptr::eq(asking, *import)))
                .map(|import| self.follow(at, import, depth))
                .find(|place| !matches!(place, Place::Unknown(_)));
            match found {
                Some(Place::Module(module)) if !self.leaves(at, module) => {
                    return Some(Place::Module(module));
                }
                Some(_) if self.is_abroad(at) => return Some(Place::Item(at)),
                // `extern crate` makes a crate a part of the module.
                Some(Place::External(name, standard)) if is_crate => {
                    return Some(Place::External(name, standard));
                }
                // The first segment of a path leads to the origin of the name.
                Some(place) if asking.is_some() => return Some(place),
                Some(_) => return Some(Place::Item(at)),
                None => {}
            }
        }
        let is_known = module.items.contains(name)
            || (asking.is_none() && is_last && module.bound.contains_key(name));
        is_known.then_some(Place::Item(at))
    }

    /// A crate outside the tree that is glob-imported: a name that is not found here may come from it.
    pub(super) fn foreign_glob(
        &self,
        at: u32,
        asking: Option<&Import>,
        depth: u32,
    ) -> Option<Place> {
        let module = &self.rust.tree.modules[at as usize];
        let imports = &self.rust.files.analysis(module.file).imports;
        let globs = module
            .globs
            .iter()
            .filter_map(|number| imports.get(*number as usize));
        globs
            .filter(|import| !asking.is_some_and(|asking| std::ptr::eq(asking, *import)))
            .map(|import| self.follow(at, import, depth))
            .find(|place| matches!(place, Place::External(..)))
    }

    pub(super) fn follow(&self, at: u32, import: &Import, depth: u32) -> Place {
        if depth >= DEPTH || self.steps.get() == 0 {
            return Place::Unknown(
                "too_many_reexports: the chain of re-exports is too long".to_owned(),
            );
        }
        self.steps.set(self.steps.get() - 1);
        self.import(at, import, depth + 1)
    }

    /// A module or item that `use x::*` brings in.
    pub(super) fn through_globs(
        &self,
        at: u32,
        name: &str,
        asking: Option<&Import>,
        depth: u32,
    ) -> Option<Place> {
        let module = &self.rust.tree.modules[at as usize];
        let imports = &self.rust.files.analysis(module.file).imports;
        for number in &module.globs {
            let import = imports.get(*number as usize)?;
            if asking.is_some_and(|asking| std::ptr::eq(asking, import)) {
                continue;
            }
            let Place::Module(target) = self.follow(at, import, depth) else {
                continue;
            };
            if target == at {
                continue;
            }
            if let Some(place) = self.named(target, name, true, None, depth + 1) {
                return Some(place);
            }
            if depth + 1 < DEPTH
                && self.steps.get() > 0
                && let Some(place) = self.through_globs(target, name, asking, depth + 1)
            {
                return Some(place);
            }
        }
        None
    }
}
