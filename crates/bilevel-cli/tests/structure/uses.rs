//! Which file of a crate uses which, and where that runs in a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::source::Source;

/// A module by the names that lead to it from the crate's root.
type Module = Vec<String>;

/// Names of modules, or of one item, may lead over imports in a circle.
const MOST_IMPORTS: usize = 12;

enum Place {
    /// Defined in this file.
    Item(Module),
    Module(Module),
}

pub(crate) struct Crate {
    files: BTreeMap<Module, Source>,
}

impl Crate {
    pub(crate) fn read(src: &Path) -> Self {
        let mut paths = Vec::new();
        walk(src, &mut paths);
        Self::of(paths.iter().map(|path| {
            let inside = path.strip_prefix(src).unwrap().with_extension("");
            let name = inside.to_str().unwrap().to_string();
            (name, fs::read_to_string(path).unwrap())
        }))
    }

    /// Of the names of the files, without their ends, and what they hold.
    pub(crate) fn of(texts: impl Iterator<Item = (String, String)>) -> Self {
        let mut files = BTreeMap::new();
        for (name, text) in texts {
            let mut module: Module = name.split('/').map(String::from).collect();
            if ["lib", "main", "mod"].contains(&module.last().unwrap().as_str()) {
                module.pop();
            }
            files.insert(module, Source::read(&text));
        }
        let tests: Vec<Module> = files
            .iter()
            .flat_map(|(module, source)| source.tests.iter().map(|name| child(module, name)))
            .collect();
        files.retain(|module, _| !tests.iter().any(|test| module.starts_with(test)));
        Self { files }
    }

    /// The files that use each other in a circle, with those of the circle that each uses.
    pub(crate) fn cycles(&self) -> Vec<BTreeMap<String, Vec<String>>> {
        let modules = self.files.keys();
        let used: BTreeMap<_, _> = modules.map(|m| (m.clone(), self.used_by(m))).collect();
        let reached: BTreeMap<_, _> = used.keys().map(|m| (m, reached_from(m, &used))).collect();
        let mut cycles = BTreeSet::new();
        for (module, reachable) in &reached {
            let cycle: BTreeSet<_> = reachable
                .iter()
                .filter(|other| reached[other].contains(*module))
                .collect();
            if !cycle.is_empty() {
                cycles.insert(cycle);
            }
        }
        let named = |module: &&Module| name_of(module);
        let with_uses = |cycle: BTreeSet<&Module>| {
            let uses = |module: &&Module| {
                let inside = cycle.iter().filter(|other| used[*module].contains(**other));
                (name_of(module), inside.map(named).collect())
            };
            cycle.iter().map(uses).collect()
        };
        cycles.into_iter().map(with_uses).collect()
    }

    fn used_by(&self, module: &Module) -> BTreeSet<Module> {
        let source = &self.files[module];
        let imports = source.imports.iter().filter(|import| !import.public);
        let named = imports.map(
            |import| match self.find(module, &import.path, MOST_IMPORTS) {
                Some(Place::Module(found)) if import.name.is_none() => Some(found),
                Some(Place::Item(found)) => Some(found),
                // What of it is used is seen where it is named.
                _ => None,
            },
        );
        let written =
            source
                .paths
                .iter()
                .map(|path| match self.find(module, path, MOST_IMPORTS)? {
                    Place::Item(found) | Place::Module(found) => Some(found),
                });
        let mut used: BTreeSet<Module> = named.chain(written).flatten().collect();
        used.remove(module);
        used
    }

    fn find(&self, from: &Module, path: &[String], most: usize) -> Option<Place> {
        let most = most.checked_sub(1)?;
        let mut place = from.clone();
        for (index, name) in path.iter().enumerate() {
            match name.as_str() {
                "crate" => place.clear(),
                "self" => {}
                "super" => {
                    place.pop();
                }
                _ if self.files.contains_key(&child(&place, name)) => place.push(name.clone()),
                _ => {
                    let source = &self.files[&place];
                    if source.items.contains(name) {
                        return Some(Place::Item(place));
                    }
                    let whole = |start: &[String], rest| [start, rest].concat();
                    let mut imports = source
                        .imports
                        .iter()
                        .filter(|i| i.path.first() != Some(name));
                    if let Some(import) = imports.clone().find(|i| i.name.as_ref() == Some(name)) {
                        return self.find(&place, &whole(&import.path, &path[index + 1..]), most);
                    }
                    let glob = imports.find_map(|import| match import.name {
                        None => self.find(&place, &whole(&import.path, &path[index..]), most),
                        Some(_) => None,
                    });
                    // A name that a macro makes stands in its file; one that nothing leads to is of another crate.
                    return glob.or((index > 0).then_some(Place::Item(place)));
                }
            }
        }
        Some(Place::Module(place))
    }
}

fn reached_from(start: &Module, used: &BTreeMap<Module, BTreeSet<Module>>) -> BTreeSet<Module> {
    let mut reached = BTreeSet::new();
    let mut open = vec![start];
    while let Some(module) = open.pop() {
        for other in &used[module] {
            if reached.insert(other.clone()) {
                open.push(other);
            }
        }
    }
    reached
}

fn name_of(module: &Module) -> String {
    if module.is_empty() {
        "the root".to_string()
    } else {
        module.join("/")
    }
}

fn child(module: &Module, name: &str) -> Module {
    let mut child = module.clone();
    child.push(name.to_string());
    child
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}
