//! Python, as its path resolves imports.

use super::told::told;

const PROJECT: &str = "[project]\nname = \"x\"\n";

#[test]
fn the_nearest_project_comes_first() {
    let files = [
        ("svc1/pyproject.toml", PROJECT),
        ("svc1/src/app/__init__.py", ""),
        ("svc1/src/app/db.py", ""),
        (
            "svc1/src/app/main.py",
            "from app.db import x\nfrom app import db\n",
        ),
        ("svc1/tests/test_main.py", "from app.main import y\n"),
        ("svc2/pyproject.toml", PROJECT),
        ("svc2/src/app/__init__.py", ""),
        ("svc2/src/app/db.py", ""),
        ("svc2/src/app/main.py", "from app.db import x\n"),
        (
            "svc2/tests/test_main.py",
            "from app.main import y\nimport app.db\n",
        ),
        ("svc2/tests/deep/test_x.py", "import app.db\n"),
        ("run.py", "import app.db\n"),
    ];
    told(
        &files,
        &[
            ("svc1/src/app/main.py", &["-> svc1/src/app/db.py"]),
            ("svc1/tests/test_main.py", &["-> svc1/src/app/main.py"]),
            ("svc2/src/app/main.py", &["-> svc2/src/app/db.py"]),
            (
                "svc2/tests/test_main.py",
                &["-> svc2/src/app/db.py", "-> svc2/src/app/main.py"],
            ),
            ("svc2/tests/deep/test_x.py", &["-> svc2/src/app/db.py"]),
            ("run.py", &["? app.db ambiguous"]),
        ],
    );
}

#[test]
fn a_package_shadows_neither_the_standard_library_nor_external_packages() {
    told(
        &[
            ("pyproject.toml", PROJECT),
            ("src/acme/logging.py", ""),
            ("src/acme/types.py", ""),
            ("src/acme/web/__init__.py", ""),
            (
                "src/acme/web/views.py",
                "import logging\nimport types\nimport web\nfrom acme import logging as l2\n",
            ),
        ],
        &[(
            "src/acme/web/views.py",
            &[
                "-> src/acme/logging.py",
                "std logging",
                "std types",
                "package web",
            ],
        )],
    );
    // The same without a source folder, if imports show that the folder is a package.
    told(
        &[
            ("acme/queue.py", ""),
            ("acme/web/__init__.py", ""),
            (
                "acme/web/views.py",
                "import queue\nimport acme.web.urls\nimport web\n",
            ),
            ("acme/web/urls.py", ""),
        ],
        &[(
            "acme/web/views.py",
            &["-> acme/web/urls.py", "std queue", "package web"],
        )],
    );
    // Except in the library itself.
    told(
        &[
            ("Lib/os.py", ""),
            ("Lib/abc.py", ""),
            ("Lib/io.py", ""),
            ("Lib/json/__init__.py", "import io\nimport re\n"),
        ],
        &[("Lib/json/__init__.py", &["-> Lib/io.py", "std re"])],
    );
    // The script's own folder comes first.
    told(
        &[("tools/run.py", "import queue\n"), ("tools/queue.py", "")],
        &[("tools/run.py", &["-> tools/queue.py"])],
    );
}

#[test]
fn build_back_ends_name_their_folders() {
    for (manifest, folder) in [
        (
            "[tool.uv.build-backend]\nmodule-name = \"acme.core\"\nmodule-root = \"python\"\n",
            "python",
        ),
        (
            "[tool.hatch.build.targets.wheel]\npackages = [\"py/acme\"]\n",
            "py",
        ),
        (
            "[tool.poetry]\npackages = [{include = \"acme\", from = \"lib\"}]\n",
            "lib",
        ),
        (
            "[tool.setuptools.packages.find]\nwhere = [\"code\"]\n",
            "code",
        ),
        (
            "[tool.setuptools.package-dir]\nacme = \"lib/acme\"\n",
            "lib",
        ),
    ] {
        let core = format!("packages/acme-core/{folder}/acme/core");
        let (init, models) = (format!("{core}/__init__.py"), format!("{core}/models.py"));
        let web = "packages/acme-web/src/acme/web";
        told(
            &[
                (
                    "pyproject.toml",
                    "[tool.uv.workspace]\nmembers = [\"packages/*\"]\n",
                ),
                ("packages/acme-core/pyproject.toml", manifest),
                (&init, ""),
                (&models, ""),
                ("packages/acme-web/pyproject.toml", PROJECT),
                (
                    &format!("{web}/__init__.py"),
                    "from acme.core import models\n",
                ),
                (
                    &format!("{web}/views.py"),
                    "from acme.core.models import M\nimport acme.web\nfrom acme import core, web\n",
                ),
            ],
            &[
                (&format!("{web}/__init__.py"), &[&format!("-> {models}")]),
                (
                    &format!("{web}/views.py"),
                    &[
                        &format!("-> {init}"),
                        &format!("-> {models}"),
                        &format!("-> {web}/__init__.py"),
                    ],
                ),
            ],
        );
    }
}

#[test]
fn imports_of_a_namespace_package_are_resolved() {
    told(
        &[
            ("pyproject.toml", PROJECT),
            (
                "src/q/app.py",
                "from q.lib.util import u\nimport q.lib\nfrom q import lib\n",
            ),
            (
                "src/q/lib/other.py",
                "from . import util\nfrom .. import app\nfrom ..app import x\nfrom .. import lib\n",
            ),
            ("src/q/lib/util.py", ""),
            (
                "tests/test_app.py",
                "from q.app import x\nfrom q.lib import util, other\nimport google.auth\n",
            ),
        ],
        &[
            ("src/q/app.py", &["-> src/q/lib/util.py"]),
            (
                "src/q/lib/other.py",
                &["-> src/q/app.py", "-> src/q/lib/util.py"],
            ),
            (
                "tests/test_app.py",
                &[
                    "-> src/q/app.py",
                    "-> src/q/lib/other.py",
                    "-> src/q/lib/util.py",
                    "package google",
                ],
            ),
        ],
    );
}

#[test]
fn a_script_finds_modules_in_its_folder() {
    told(
        &[
            ("tests/perf/__init__.py", ""),
            ("tests/perf/_utils.py", ""),
            (
                "tests/perf/bench.py",
                "import _utils\nimport profile_x as p\n",
            ),
            ("tests/perf/profile_x.py", ""),
            // A module with the name of the package that it wraps.
            ("proj/__init__.py", ""),
            ("proj/celery.py", "from celery import Celery\n"),
            ("proj/tasks.py", "from celery import shared_task\n"),
        ],
        &[
            (
                "tests/perf/bench.py",
                &["-> tests/perf/_utils.py", "-> tests/perf/profile_x.py"],
            ),
            ("proj/tasks.py", &["package celery"]),
            ("proj/celery.py", &["package celery"]),
        ],
    );
}
