//! Real programs that know nothing of Rialto, across clusters by name.
//!
//! nginx, Python's HTTP server and PostgreSQL run as a workload of `vms`; curl and psql call them
//! from `east` through the system's resolver. They are Debian packages that `make test` installs.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use crate::demo::{Ended, alone, demo, demo_output, need_namespaces, wait_until};

/// The free workload of `vms`.
const ENDPOINT: &str = "10.89.3.9";
const NGINX: &str = "/usr/sbin/nginx";

#[test]
fn programs_find_each_other_across_clusters() -> anyhow::Result<()> {
    need_namespaces()?;
    let _alone = alone();
    need_programs()?;
    let parent = tempfile::tempdir()?;
    fs::set_permissions(parent.path(), fs::Permissions::from_mode(0o755))?;
    let folder = parent.path().join("demo");
    let _demo = Ended(demo(&folder, &[]).args(["--rest", "127.0.0.1:0"]).spawn()?);
    wait_until("the demo is ready", || Ok(demo_output(&folder, &["ps"])?.status.success()))?;
    register(&folder)?;

    let pages = parent.path().join("pages");
    fs::create_dir(&pages)?;
    fs::write(pages.join("index.html"), "a page of nginx\n")?;
    fs::write(pages.join("file.txt"), "a file of python\n")?;
    let nginx = nginx_settings(parent.path(), &pages)?;
    let _nginx = serve(&folder, &[NGINX, "-c", &nginx])?;
    let directory = pages.display().to_string();
    let _python = serve(&folder, &["python3", "-m", "http.server", "8000", "-d", &directory])?;
    let _postgres = start_postgres(&folder, parent.path())?;

    let curl = ["curl", "-sS", "-m", "5"];
    let calls: [(&str, Vec<&str>); 3] = [
        ("a page of nginx", [&curl[..], &["http://web.books.svc.clusterset.local/"]].concat()),
        (
            "a file of python",
            [&curl[..], &["http://files.books.svc.clusterset.local:8000/file.txt"]].concat(),
        ),
        (
            "42",
            vec![
                "psql",
                "-h",
                "db.books.svc.clusterset.local",
                "-U",
                "tester",
                "-Atc",
                "select 41 + 1",
                "postgres",
            ],
        ),
    ];
    for (expected, call) in &calls {
        let mut told = String::new();
        let answered = wait_until(expected, || {
            let output = demo_output(&folder, &[&["exec", "east", "--"], &call[..]].concat())?;
            told = format!("{output:?}");
            Ok(String::from_utf8_lossy(&output.stdout).trim() == *expected)
        });
        answered.with_context(|| told.clone())?;
    }
    Ok(())
}

/// Skipped, this test would pass and prove nothing.
fn need_programs() -> anyhow::Result<()> {
    let mut missing = Vec::new();
    for (program, package) in [("curl", "curl"), ("python3", "python3"), (NGINX, "nginx-light")] {
        if Command::new(program).arg("--help").output().is_err() {
            missing.push(package);
        }
    }
    if postgres_folder().is_none() {
        missing.push("postgresql");
    }
    ensure!(missing.is_empty(), "programs are missing: apt-get install {}", missing.join(" "));
    Ok(())
}

fn postgres_folder() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    versions.flatten().map(|version| version.path().join("bin")).find(|bin| bin.is_dir())
}

/// Adds the programs to the registry of `vms`, as an operator edits the file.
fn register(folder: &Path) -> anyhow::Result<()> {
    let path = folder.join("settings/vms.registry.yaml");
    let mut registry: Value = serde_saphyr::from_str(&fs::read_to_string(&path)?)?;
    let services = registry["services"].as_array_mut().context("the registry has services")?;
    for (name, port, protocol) in
        [("web", 80, "http"), ("files", 8000, "http"), ("db", 5432, "tcp")]
    {
        services.push(json!({
            "namespace": "books",
            "name": name,
            "export": true,
            "ports": [{ "port": port, "protocol": protocol }],
            "endpoints": [{ "address": ENDPOINT }],
        }));
    }
    let aside = path.with_extension("new");
    fs::write(&aside, serde_saphyr::to_string(&registry)?)?;
    Ok(fs::rename(&aside, &path)?)
}

fn serve(folder: &Path, command: &[&str]) -> anyhow::Result<Ended> {
    let mut serving = demo(folder, &["exec", "vms", "--"]);
    Ok(Ended(serving.args(command).spawn().context("could not start a program")?))
}

fn nginx_settings(parent: &Path, pages: &Path) -> anyhow::Result<String> {
    let (shown, pages) = (parent.display(), pages.display());
    let user = if nix::unistd::geteuid().is_root() { "user root;" } else { "" };
    let text = format!(
        "daemon off; {user} pid {shown}/nginx.pid; error_log stderr;\n\
         events {{}}\n\
         http {{\n\
           access_log off; client_body_temp_path {shown}/body; proxy_temp_path {shown}/proxy;\n\
           fastcgi_temp_path {shown}/fastcgi; uwsgi_temp_path {shown}/uwsgi;\n\
           scgi_temp_path {shown}/scgi;\n\
           server {{ listen 80; root {pages}; }}\n\
         }}\n"
    );
    let path = parent.join("nginx.conf");
    fs::write(&path, text)?;
    Ok(path.display().to_string())
}

/// PostgreSQL refuses to run as root: there it runs as its own user.
fn start_postgres(folder: &Path, parent: &Path) -> anyhow::Result<Ended> {
    let bin = postgres_folder().context("postgresql is installed")?;
    let data = parent.join("postgres");
    fs::create_dir(&data)?;
    let mut other_user: Vec<String> = Vec::new();
    if nix::unistd::geteuid().is_root() {
        let owned = Command::new("chown").arg("postgres").arg(&data).status()?;
        ensure!(owned.success(), "could not give `{}` to postgres", data.display());
        other_user = ["runuser", "-u", "postgres", "--"].map(str::to_owned).to_vec();
    }
    let path = data.display().to_string();
    let program = |name: &str| bin.join(name).display().to_string();
    let run = |name: &str, arguments: &[&str]| {
        let mut command = other_user.clone();
        command.push(program(name));
        command.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        command
    };
    let made = run("initdb", &["-D", &path, "-U", "tester", "-A", "trust", "--no-sync"]);
    let made = Command::new(&made[0]).args(&made[1..]).output()?;
    ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let rule = "host all all 10.89.0.0/16 trust\n";
    fs::OpenOptions::new()
        .append(true)
        .open(data.join("pg_hba.conf"))?
        .write_all(rule.as_bytes())?;
    let server = run("postgres", &["-D", &path, "-h", ENDPOINT, "-k", &path]);
    let server: Vec<_> = server.iter().map(String::as_str).collect();
    serve(folder, &server)
}
