//! A bench for commands that run workers: a worker that is a shell script, and which runs it made.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use recspeed_types::comparison::Comparison;

/// A worker that reads its kind and its seed out of the spec, notes each run in `ran`, and gives four users values: hit@1 of
/// the kind `popularity` is 0 for all of them, that of others 1, 1, 1 and the last digit of the seed over 10. It has held out as many
/// validation rows as the file `validation` says, none without it.
/// Its result has the warning that the file `warning` holds, with the seed in the place of SEED. Runs of the kind that
/// the file `of-mean` names tell what the global mean gets, an rmse of 1.125, and what baselines get: `bias` an rmse of
/// 1.0625, `popularity` a hit@1 of 0.125. Runs that were to fit no baselines are noted in `bare`, too.
/// Runs with the neighbours that the file `refused` names, those of the kind in `refuse-kind`, or all where there is a
/// file `refuse-all`, are refused before any work: for their memory where there is a file `too-large`, for their spec
/// otherwise. The run whose number stands in the file `slow` takes three seconds to fit, or as many as `slow-for` says.
/// Runs of `slim` and `warp` fail, for what the file `cause` says.
const WORKER: &str = r#"#!/bin/sh
here=$(dirname "$0"); seq=0; run=none; users=/dev/null; bare=
while [ $# -gt 0 ]; do case "$1" in --run) run=$2; shift;; --users) users=$2; shift;; --checkpoint-dir) kept=$2; shift;;
--no-baselines) bare=1;; --resume) echo "$2" >> "$here/resumed"; shift;; esac; shift; done
spec=$(cat)
number() { printf '%s' "$spec" | sed -n 's/.*"'"$1"'":\([0-9.]*\).*/\1/p'; }
kind=$(printf '%s' "$spec" | sed -n 's/.*"recommender":{"kind":"\([a-z0-9-]*\)".*/\1/p')
seed=$(number seed); neighbours=$(number neighbours)
on=test; case "$spec" in *'"on":"validation"'*) on=validation;; esac
echo "$kind $seed $on $neighbours" >> "$here/ran"
[ -n "$bare" ] && echo "$kind $seed $on $neighbours" >> "$here/bare"
[ -e "$here/stop-at" ] && [ "$(wc -l < "$here/ran")" -gt "$(cat "$here/stop-at")" ] && { : > "$kept/checkpoint-3.bin"; exit 1; }
say() { printf '{"run":"%s","seq":%s,"at_us":%s,%s}\n' "$run" "$seq" "$seq" "$1"; seq=$((seq+1)); }
cause=$(cat "$here/cause" 2>/dev/null || echo "it grew without bound")
fail() { say '"kind":"failed","code":"diverged","cause":"'"$cause"'","detail":""'; exit 5; }
case "$kind" in slim|warp) fail;; esac
refuse() { code=invalid-spec; status=2; [ -e "$here/too-large" ] && { code=out-of-memory; status=3; }
say '"kind":"failed","code":"'$code'","cause":"there are no such neighbours","detail":"","refusal":{"instead":[]}'; exit $status; }
[ -e "$here/refuse-all" ] && refuse
[ -e "$here/refuse-kind" ] && [ "$(cat "$here/refuse-kind")" = "$kind" ] && refuse
[ -e "$here/refused" ] && case " $(cat "$here/refused") " in *" $neighbours "*) refuse;; esac
[ -e "$here/slow" ] && [ "$(wc -l < "$here/ran")" -eq "$(cat "$here/slow")" ] && {
say '"kind":"phase","phase":"fit"'; sleep "$(cat "$here/slow-for" 2>/dev/null || echo 3)"
say '"kind":"progress","done":1,"total":2,"unit":"batches"'; }
last=0.$((seed % 10))
validation=$(cat "$here/validation" 2>/dev/null || echo 0)
warnings=$(sed 's/SEED/'"$seed"'/; s/.*/"&"/' "$here/warning" 2>/dev/null)
mean=; beside=; [ "$(cat "$here/of-mean" 2>/dev/null)" = "$kind" ] && mean='"rmse":1.125' &&
beside='"bias":{"rmse":1.0625},"popularity":{"hit@1":0.125}'
case "$kind" in popularity) v="0,0,0,0"; m=0;; *) v="1,1,1,$last"; m=0.9;; esac
[ -n "$neighbours" ] && m=0.$neighbours
printf '{"users":["a","b","c","d"],"columns":{"hit@1":[%s]}}' "$v" > "$users"
say '"kind":"finished","summary":{"run":"'$run'","status":"finished","metrics":{"hit@1":'$m'},
"timing":{"load_s":0.1,"fit_s":0.2,"evaluate_s":0.3},
"memory":{"parameters":8,"gradients":0,"optimizer":0,"activations":0,"buffers":0,"allocator_total":9,"peak":10},
"engine":{"kind":"burn","device":"flex","versions":{},"host":"a test","threads":1},
"data":{"name":"tiny","users":4,"items":4,"train":5,"validation":'$validation',"test":6,"bad_lines":0,"sha256":"abc","synthetic":true},
"evaluation":{"candidates":"full ranking","candidate_items":4,"test_users":4,"evaluated_users":4,"sampled_users":false,"cold_users":0,
"cold_item_rows":0,"tie_rule":"lower id","tie_share":0,"rating_scale":"stars","of_the_mean":{'$mean'},
"baselines":{'$beside'}},
"warnings":['"$warnings"'],"seed":'$seed'}' | tr -d '\n'; echo
"#;

/// What every spec of these tests begins with.
pub(crate) const FRAME: &str = "version = 1\nseed = 5\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n[split]\nkind = \"random\"\nvalidation_ratio = 0.1\n[evaluation]\nmetrics = [\"hit@1\"]\n";

/// A folder with `group.toml` and the worker, in which commands run.
pub(crate) struct Bench(tempfile::TempDir);

impl Bench {
    pub(crate) fn new(spec: &str) -> Self {
        let bench = Self(tempfile::tempdir().unwrap());
        bench.put("group.toml", &format!("{FRAME}{spec}"));
        bench.put("worker", WORKER);
        fs::set_permissions(bench.path("worker"), fs::Permissions::from_mode(0o755)).unwrap();
        bench
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn put(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_recspeed"));
        command.args(arguments).arg("--worker").arg(self.path("worker")).current_dir(self.0.path());
        command.env("RECSPEED_HOME", self.path("home"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap()
    }

    /// What `recspeed compare` says of this in JSON.
    pub(crate) fn compared(&self, what: &str) -> Comparison {
        let output = self.command(&["compare", what, "--json"]);
        assert!(output.status.success(), "{}", stderr(&output));
        serde_json::from_str(stdout(&output)).unwrap()
    }

    /// What the worker ran since the last look: kind, seed, rows, neighbours.
    pub(crate) fn ran(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("ran")).unwrap_or_default();
        let _ = fs::remove_file(self.path("ran"));
        text.lines().map(|line| line.trim().to_owned()).collect()
    }
}

/// What a command says on standard error of how far a run is, in the place of bars.
pub(crate) fn lines(output: &Output) -> Vec<&str> {
    stderr(output).lines().filter(|line| line.starts_with("recspeed: ")).collect()
}

pub(crate) fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

pub(crate) fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}
