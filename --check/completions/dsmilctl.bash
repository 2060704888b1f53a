# Completion of dsmilctl for bash 3.2 and newer.  Generated from the command tree: `make docs` writes it anew.
#
# No process is started: nouns, verbs, options and fixed choices stand in this file; devices, registers,
# contexts and drivers are read from files that dsmilctl leaves in its cache folder.  What is read there is
# compared and quoted, never evaluated.

__dsmilctl_nouns='device bulk stream record backup emergency context auth system driver approval audit sim serve user config doctor completion tui demo'
__dsmilctl_filters='risk=LOW risk=MEDIUM risk=HIGH risk=CRITICAL state=unknown state=discovered state=initialized state=connected state=active state=error state=disconnected quarantined=True quarantined=False'

# The verbs of a noun, nothing for a noun that is a command itself.
__dsmilctl_verbs() {
  case $1 in
    device) words='list show registers read write configure activate deactivate reset command history scan initialize connect disconnect state cleanup' ;;
    bulk) words='read write run status undo' ;;
    stream) words='devices events' ;;
    record) words='run start stop list show status note query export import replay report check maintain token' ;;
    backup) words='create list show verify restore prune schedule' ;;
    emergency) words='stop status history release' ;;
    context) words='list show use previous add remove' ;;
    auth) words='login logout status whoami refresh sessions token' ;;
    system) words='status capabilities health' ;;
    driver) words='list show enable disable' ;;
    approval) words='list request approve reject' ;;
    audit) words='log show verify export restart' ;;
    sim) words='serve reset' ;;
    user) words='add list disable passwd totp' ;;
    config) words='show set validate path' ;;
    completion) words='bash zsh fish' ;;
    *) words= ;;
  esac
}

__dsmilctl_options() {
  words='-C --context -o --output-format --json --fields --jq --read-only --timeout --deadline --retry --progress -v --verbose --log-file --log-format --debug -h --help'
  case $1 in
    'device list') words="$words --group --risk --status --quarantined" ;;
    'device read') words="$words --offset --length --watch --justification --approval" ;;
    'device write') words="$words --justification --if-value --verify --no-verify --dry-run -y --yes --approval" ;;
    'device configure') words="$words --file --justification --dry-run -y --yes --approval" ;;
    'device activate') words="$words --justification --dry-run -y --yes --approval" ;;
    'device deactivate') words="$words --justification --dry-run -y --yes --approval" ;;
    'device reset') words="$words --justification --dry-run -y --yes --approval" ;;
    'device command') words="$words --justification --dry-run -y --yes --approval" ;;
    'device history') words="$words --since --until --type --limit --offset" ;;
    'bulk read') words="$words --mode --concurrency --stop-on-error" ;;
    'bulk write') words="$words --file --justification --mode --concurrency --stop-on-error --dry-run -y --yes" ;;
    'bulk run') words="$words --justification --mode --concurrency --stop-on-error --dry-run -y --yes" ;;
    'bulk undo') words="$words --justification --dry-run -y --yes" ;;
    'stream devices') words="$words --interval --count --for --transport" ;;
    'stream events') words="$words --type --severity --count --for --interval" ;;
    'record run') words="$words -n --name --interval --for --host-metrics --kernel --when --pre-trigger --post-trigger --type --notes --tag --also --archive" ;;
    'record start') words="$words -n --name --interval --for --host-metrics --kernel --when --pre-trigger --post-trigger --type --notes --tag --also --archive" ;;
    'record stop') words="$words --status --notes --archive" ;;
    'record list') words="$words --archive" ;;
    'record show') words="$words --archive" ;;
    'record status') words="$words --archive" ;;
    'record note') words="$words --archive" ;;
    'record query') words="$words --since --until --every --agg --recording --limit --sql --archive" ;;
    'record export') words="$words --format --output --table --devices --registers --since --until --compress --metadata --escape-formulas --lf --force --archive" ;;
    'record import') words="$words -n --name --format --archive" ;;
    'record replay') words="$words --speed --from --to --count --archive" ;;
    'record report') words="$words --output --force --archive" ;;
    'record check') words="$words --repair --archive" ;;
    'record maintain') words="$words --keep-raw --keep-seconds --keep-minutes --keep-hours --dry-run -y --yes --archive" ;;
    'record token') words="$words --method --operation --initial --set --expect --final --outcome --error --message --retries --notes --recording --limit --archive" ;;
    'backup create') words="$words -n --name --to --encrypt --passphrase-file --verify --no-verify --keep --archive" ;;
    'backup list') words="$words --at" ;;
    'backup show') words="$words --passphrase-file --at" ;;
    'backup verify') words="$words --all --passphrase-file --at" ;;
    'backup restore') words="$words --to --recording --confirm --passphrase-file --at --archive" ;;
    'backup prune') words="$words --keep-last --keep-hourly --keep-daily --keep-weekly --keep-monthly --keep-yearly --keep-within --dry-run -y --yes --at" ;;
    'backup schedule') words="$words --install --remove --status --every --keep --to --passphrase-file --archive" ;;
    'emergency stop') words="$words --reason --deadline" ;;
    'emergency history') words="$words --limit" ;;
    'emergency release') words="$words --justification --confirm --approval" ;;
    'context add') words="$words --url --fleet --driver --option --ca --cert --insecure --read-only" ;;
    'auth login') words="$words --password-stdin --mfa --cert --service-token-file" ;;
    'auth logout') words="$words --session" ;;
    'driver enable') words="$words --reason" ;;
    'driver disable') words="$words --reason" ;;
    'approval list') words="$words --status" ;;
    'approval request') words="$words --operation --release --stop-id --justification" ;;
    'approval approve') words="$words --justification" ;;
    'approval reject') words="$words --justification" ;;
    'audit log') words="$words --device --since --until --action --outcome --user --limit --offset" ;;
    'audit verify') words="$words --anchor" ;;
    'audit restart') words="$words --reason -y --yes" ;;
    'sim serve') words="$words --port --devices --layout --seed --fault --rate-limit --no-rate-limit --approvals --no-approvals --host --kind --past --record --record-interval" ;;
    'sim reset') words="$words -y --yes" ;;
    'serve') words="$words --users --host --port --tls-cert --tls-key --client-ca --settings --insecure --record --record-interval" ;;
    'user add') words="$words --clearance --devices --compartment --person --certificate --service-token --no-password --password-stdin --users" ;;
    'user list') words="$words --users" ;;
    'user disable') words="$words --undo --users" ;;
    'user passwd') words="$words --password-stdin --users" ;;
    'user totp') words="$words --off --users" ;;
    'config show') words="$words --origin" ;;
    'config set') words="$words --project" ;;
    'doctor') words="$words --bundle" ;;
    'tui') words="$words --low-bandwidth" ;;
    'demo') words="$words --seconds" ;;
  esac
}

# Whether an option takes a value:  COMMAND OPTION
__dsmilctl_takes() {
  case "$1 $2" in
    *' -C') ;;
    *' --context') ;;
    *' -o') ;;
    *' --output-format') ;;
    *' --fields') ;;
    *' --jq') ;;
    *' --timeout') ;;
    *' --deadline') ;;
    *' --retry') ;;
    *' --progress') ;;
    *' --log-file') ;;
    *' --log-format') ;;
    'device list --group' | 'device list --risk' | 'device list --status') ;;
    'device read --offset' | 'device read --length' | 'device read --watch' | 'device read --justification' | 'device read --approval') ;;
    'device write --justification' | 'device write --if-value' | 'device write --approval') ;;
    'device configure --file' | 'device configure --justification' | 'device configure --approval') ;;
    'device activate --justification' | 'device activate --approval') ;;
    'device deactivate --justification' | 'device deactivate --approval') ;;
    'device reset --justification' | 'device reset --approval') ;;
    'device command --justification' | 'device command --approval') ;;
    'device history --since' | 'device history --until' | 'device history --type' | 'device history --limit' | 'device history --offset') ;;
    'bulk read --mode' | 'bulk read --concurrency') ;;
    'bulk write --file' | 'bulk write --justification' | 'bulk write --mode' | 'bulk write --concurrency') ;;
    'bulk run --justification' | 'bulk run --mode' | 'bulk run --concurrency') ;;
    'bulk undo --justification') ;;
    'stream devices --interval' | 'stream devices --count' | 'stream devices --for' | 'stream devices --transport') ;;
    'stream events --type' | 'stream events --severity' | 'stream events --count' | 'stream events --for' | 'stream events --interval') ;;
    'record run -n' | 'record run --name' | 'record run --interval' | 'record run --for' | 'record run --when' | 'record run --pre-trigger' | 'record run --post-trigger' | 'record run --type' | 'record run --notes' | 'record run --tag' | 'record run --also' | 'record run --archive') ;;
    'record start -n' | 'record start --name' | 'record start --interval' | 'record start --for' | 'record start --when' | 'record start --pre-trigger' | 'record start --post-trigger' | 'record start --type' | 'record start --notes' | 'record start --tag' | 'record start --also' | 'record start --archive') ;;
    'record stop --status' | 'record stop --notes' | 'record stop --archive') ;;
    'record list --archive') ;;
    'record show --archive') ;;
    'record status --archive') ;;
    'record note --archive') ;;
    'record query --since' | 'record query --until' | 'record query --every' | 'record query --agg' | 'record query --recording' | 'record query --limit' | 'record query --sql' | 'record query --archive') ;;
    'record export --format' | 'record export --output' | 'record export --table' | 'record export --devices' | 'record export --registers' | 'record export --since' | 'record export --until' | 'record export --compress' | 'record export --archive') ;;
    'record import -n' | 'record import --name' | 'record import --format' | 'record import --archive') ;;
    'record replay --speed' | 'record replay --from' | 'record replay --to' | 'record replay --count' | 'record replay --archive') ;;
    'record report --output' | 'record report --archive') ;;
    'record check --archive') ;;
    'record maintain --keep-raw' | 'record maintain --keep-seconds' | 'record maintain --keep-minutes' | 'record maintain --keep-hours' | 'record maintain --archive') ;;
    'record token --method' | 'record token --operation' | 'record token --initial' | 'record token --set' | 'record token --expect' | 'record token --final' | 'record token --outcome' | 'record token --error' | 'record token --message' | 'record token --retries' | 'record token --notes' | 'record token --recording' | 'record token --limit' | 'record token --archive') ;;
    'backup create -n' | 'backup create --name' | 'backup create --to' | 'backup create --passphrase-file' | 'backup create --keep' | 'backup create --archive') ;;
    'backup list --at') ;;
    'backup show --passphrase-file' | 'backup show --at') ;;
    'backup verify --passphrase-file' | 'backup verify --at') ;;
    'backup restore --to' | 'backup restore --recording' | 'backup restore --confirm' | 'backup restore --passphrase-file' | 'backup restore --at' | 'backup restore --archive') ;;
    'backup prune --keep-last' | 'backup prune --keep-hourly' | 'backup prune --keep-daily' | 'backup prune --keep-weekly' | 'backup prune --keep-monthly' | 'backup prune --keep-yearly' | 'backup prune --keep-within' | 'backup prune --at') ;;
    'backup schedule --every' | 'backup schedule --keep' | 'backup schedule --to' | 'backup schedule --passphrase-file' | 'backup schedule --archive') ;;
    'emergency stop --reason' | 'emergency stop --deadline') ;;
    'emergency history --limit') ;;
    'emergency release --justification' | 'emergency release --confirm' | 'emergency release --approval') ;;
    'context add --url' | 'context add --fleet' | 'context add --driver' | 'context add --option' | 'context add --ca' | 'context add --cert') ;;
    'auth login --mfa' | 'auth login --cert' | 'auth login --service-token-file') ;;
    'auth logout --session') ;;
    'driver enable --reason') ;;
    'driver disable --reason') ;;
    'approval list --status') ;;
    'approval request --operation' | 'approval request --stop-id' | 'approval request --justification') ;;
    'approval approve --justification') ;;
    'approval reject --justification') ;;
    'audit log --device' | 'audit log --since' | 'audit log --until' | 'audit log --action' | 'audit log --outcome' | 'audit log --user' | 'audit log --limit' | 'audit log --offset') ;;
    'audit verify --anchor') ;;
    'audit restart --reason') ;;
    'sim serve --port' | 'sim serve --devices' | 'sim serve --layout' | 'sim serve --seed' | 'sim serve --fault' | 'sim serve --kind' | 'sim serve --past' | 'sim serve --record-interval') ;;
    'serve --users' | 'serve --host' | 'serve --port' | 'serve --tls-cert' | 'serve --tls-key' | 'serve --client-ca' | 'serve --settings' | 'serve --record-interval') ;;
    'user add --clearance' | 'user add --devices' | 'user add --compartment' | 'user add --person' | 'user add --certificate' | 'user add --users') ;;
    'user list --users') ;;
    'user disable --users') ;;
    'user passwd --users') ;;
    'user totp --users') ;;
    'doctor --bundle') ;;
    'demo --seconds') ;;
    *) return 1 ;;
  esac
}

# What may stand in a place:  COMMAND OPTION|POSITION; a position `+` is every further one.

__dsmilctl_kind() {
  kind=
  case "$1 $2" in
    *' -C' | *' --context') kind=contexts ;;
    *' -o' | *' --output-format') kind=choices words='table wide json ndjson csv plain' ;;
    *' --fields') kind=nothing ;;
    *' --jq') kind=nothing ;;
    *' --timeout') kind=nothing ;;
    *' --deadline') kind=nothing ;;
    *' --retry') kind=nothing ;;
    *' --progress') kind=choices words='auto json none' ;;
    *' --log-file') kind=files ;;
    *' --log-format') kind=choices words='text json' ;;
    'device list --group') kind=nothing ;;
    'device list --risk') kind=choices words='LOW MEDIUM HIGH CRITICAL' ;;
    'device list --status') kind=choices words='unknown discovered initialized connected active error disconnected' ;;
    'device list 1') kind=devices ;;
    'device show 1') kind=devices ;;
    'device registers 1') kind=devices ;;
    'device read --offset') kind=nothing ;;
    'device read --length') kind=nothing ;;
    'device read --watch') kind=nothing ;;
    'device read --justification') kind=nothing ;;
    'device read --approval') kind=nothing ;;
    'device read 1') kind=devices ;;
    'device read +') kind=registers ;;
    'device write --justification') kind=nothing ;;
    'device write --if-value') kind=nothing ;;
    'device write --approval') kind=nothing ;;
    'device write 1') kind=devices ;;
    'device write 2') kind=registers ;;
    'device write 3') kind=nothing ;;
    'device configure --file') kind=files ;;
    'device configure --justification') kind=nothing ;;
    'device configure --approval') kind=nothing ;;
    'device configure 1') kind=devices ;;
    'device configure +') kind=nothing ;;
    'device activate --justification') kind=nothing ;;
    'device activate --approval') kind=nothing ;;
    'device activate 1') kind=devices ;;
    'device deactivate --justification') kind=nothing ;;
    'device deactivate --approval') kind=nothing ;;
    'device deactivate 1') kind=devices ;;
    'device reset --justification') kind=nothing ;;
    'device reset --approval') kind=nothing ;;
    'device reset 1') kind=devices ;;
    'device command --justification') kind=nothing ;;
    'device command --approval') kind=nothing ;;
    'device command 1') kind=devices ;;
    'device command 2') kind=nothing ;;
    'device command +') kind=nothing ;;
    'device history --since') kind=nothing ;;
    'device history --until') kind=nothing ;;
    'device history --type') kind=nothing ;;
    'device history --limit') kind=nothing ;;
    'device history --offset') kind=nothing ;;
    'device history 1') kind=devices ;;
    'device scan 1') kind=devices ;;
    'device initialize 1') kind=devices ;;
    'device connect 1') kind=devices ;;
    'device disconnect 1') kind=devices ;;
    'device state 1') kind=devices ;;
    'device cleanup 1') kind=devices ;;
    'bulk read --mode') kind=nothing ;;
    'bulk read --concurrency') kind=nothing ;;
    'bulk read 1') kind=devices ;;
    'bulk read +') kind=registers ;;
    'bulk write --file') kind=files ;;
    'bulk write --justification') kind=nothing ;;
    'bulk write --mode') kind=nothing ;;
    'bulk write --concurrency') kind=nothing ;;
    'bulk write 1') kind=devices ;;
    'bulk write 2') kind=registers ;;
    'bulk write 3') kind=nothing ;;
    'bulk run --justification') kind=nothing ;;
    'bulk run --mode') kind=nothing ;;
    'bulk run --concurrency') kind=nothing ;;
    'bulk run 1') kind=files ;;
    'bulk status 1') kind=nothing ;;
    'bulk undo --justification') kind=nothing ;;
    'bulk undo 1') kind=nothing ;;
    'stream devices --interval') kind=nothing ;;
    'stream devices --count') kind=nothing ;;
    'stream devices --for') kind=nothing ;;
    'stream devices --transport') kind=nothing ;;
    'stream devices 1') kind=devices ;;
    'stream devices +') kind=registers ;;
    'stream events --type') kind=nothing ;;
    'stream events --severity') kind=nothing ;;
    'stream events --count') kind=nothing ;;
    'stream events --for') kind=nothing ;;
    'stream events --interval') kind=nothing ;;
    'record run -n' | 'record run --name') kind=nothing ;;
    'record run --interval') kind=nothing ;;
    'record run --for') kind=nothing ;;
    'record run --when') kind=nothing ;;
    'record run --pre-trigger') kind=nothing ;;
    'record run --post-trigger') kind=nothing ;;
    'record run --type') kind=nothing ;;
    'record run --notes') kind=nothing ;;
    'record run --tag') kind=nothing ;;
    'record run --also') kind=nothing ;;
    'record run --archive') kind=nothing ;;
    'record run 1') kind=devices ;;
    'record run +') kind=registers ;;
    'record start -n' | 'record start --name') kind=nothing ;;
    'record start --interval') kind=nothing ;;
    'record start --for') kind=nothing ;;
    'record start --when') kind=nothing ;;
    'record start --pre-trigger') kind=nothing ;;
    'record start --post-trigger') kind=nothing ;;
    'record start --type') kind=nothing ;;
    'record start --notes') kind=nothing ;;
    'record start --tag') kind=nothing ;;
    'record start --also') kind=nothing ;;
    'record start --archive') kind=nothing ;;
    'record start 1') kind=devices ;;
    'record start +') kind=registers ;;
    'record stop --status') kind=nothing ;;
    'record stop --notes') kind=nothing ;;
    'record stop --archive') kind=nothing ;;
    'record stop 1') kind=nothing ;;
    'record list --archive') kind=nothing ;;
    'record show --archive') kind=nothing ;;
    'record show 1') kind=nothing ;;
    'record status --archive') kind=nothing ;;
    'record note --archive') kind=nothing ;;
    'record note 1') kind=nothing ;;
    'record note 2') kind=nothing ;;
    'record query --since') kind=nothing ;;
    'record query --until') kind=nothing ;;
    'record query --every') kind=nothing ;;
    'record query --agg') kind=nothing ;;
    'record query --recording') kind=nothing ;;
    'record query --limit') kind=nothing ;;
    'record query --sql') kind=nothing ;;
    'record query --archive') kind=nothing ;;
    'record query 1') kind=devices ;;
    'record query +') kind=registers ;;
    'record export --format') kind=nothing ;;
    'record export --output') kind=nothing ;;
    'record export --table') kind=nothing ;;
    'record export --devices') kind=nothing ;;
    'record export --registers') kind=registers ;;
    'record export --since') kind=nothing ;;
    'record export --until') kind=nothing ;;
    'record export --compress') kind=nothing ;;
    'record export --archive') kind=nothing ;;
    'record export 1') kind=nothing ;;
    'record export 2') kind=files ;;
    'record import -n' | 'record import --name') kind=nothing ;;
    'record import --format') kind=nothing ;;
    'record import --archive') kind=nothing ;;
    'record import 1') kind=files ;;
    'record replay --speed') kind=nothing ;;
    'record replay --from') kind=nothing ;;
    'record replay --to') kind=nothing ;;
    'record replay --count') kind=nothing ;;
    'record replay --archive') kind=nothing ;;
    'record replay 1') kind=nothing ;;
    'record replay 2') kind=devices ;;
    'record replay +') kind=registers ;;
    'record report --output') kind=nothing ;;
    'record report --archive') kind=nothing ;;
    'record report 1') kind=nothing ;;
    'record check --archive') kind=nothing ;;
    'record maintain --keep-raw') kind=nothing ;;
    'record maintain --keep-seconds') kind=nothing ;;
    'record maintain --keep-minutes') kind=nothing ;;
    'record maintain --keep-hours') kind=nothing ;;
    'record maintain --archive') kind=nothing ;;
    'record token --method') kind=nothing ;;
    'record token --operation') kind=nothing ;;
    'record token --initial') kind=nothing ;;
    'record token --set') kind=nothing ;;
    'record token --expect') kind=nothing ;;
    'record token --final') kind=nothing ;;
    'record token --outcome') kind=nothing ;;
    'record token --error') kind=nothing ;;
    'record token --message') kind=nothing ;;
    'record token --retries') kind=nothing ;;
    'record token --notes') kind=nothing ;;
    'record token --recording') kind=nothing ;;
    'record token --limit') kind=nothing ;;
    'record token --archive') kind=nothing ;;
    'record token 1') kind=nothing ;;
    'record token 2') kind=nothing ;;
    'backup create -n' | 'backup create --name') kind=nothing ;;
    'backup create --to') kind=nothing ;;
    'backup create --passphrase-file') kind=nothing ;;
    'backup create --keep') kind=nothing ;;
    'backup create --archive') kind=nothing ;;
    'backup list --at') kind=nothing ;;
    'backup show --passphrase-file') kind=nothing ;;
    'backup show --at') kind=nothing ;;
    'backup show 1') kind=nothing ;;
    'backup verify --passphrase-file') kind=nothing ;;
    'backup verify --at') kind=nothing ;;
    'backup verify 1') kind=nothing ;;
    'backup restore --to') kind=nothing ;;
    'backup restore --recording') kind=nothing ;;
    'backup restore --confirm') kind=nothing ;;
    'backup restore --passphrase-file') kind=nothing ;;
    'backup restore --at') kind=nothing ;;
    'backup restore --archive') kind=nothing ;;
    'backup restore 1') kind=nothing ;;
    'backup prune --keep-last') kind=nothing ;;
    'backup prune --keep-hourly') kind=nothing ;;
    'backup prune --keep-daily') kind=nothing ;;
    'backup prune --keep-weekly') kind=nothing ;;
    'backup prune --keep-monthly') kind=nothing ;;
    'backup prune --keep-yearly') kind=nothing ;;
    'backup prune --keep-within') kind=nothing ;;
    'backup prune --at') kind=nothing ;;
    'backup schedule --every') kind=nothing ;;
    'backup schedule --keep') kind=nothing ;;
    'backup schedule --to') kind=nothing ;;
    'backup schedule --passphrase-file') kind=nothing ;;
    'backup schedule --archive') kind=nothing ;;
    'emergency stop --reason') kind=nothing ;;
    'emergency stop --deadline') kind=nothing ;;
    'emergency stop 1') kind=devices ;;
    'emergency history --limit') kind=nothing ;;
    'emergency release --justification') kind=nothing ;;
    'emergency release --confirm') kind=nothing ;;
    'emergency release --approval') kind=nothing ;;
    'emergency release 1') kind=nothing ;;
    'context show 1') kind=contexts ;;
    'context use 1') kind=contexts ;;
    'context add --url') kind=nothing ;;
    'context add --fleet') kind=nothing ;;
    'context add --driver') kind=drivers ;;
    'context add --option') kind=nothing ;;
    'context add --ca') kind=nothing ;;
    'context add --cert') kind=nothing ;;
    'context add 1') kind=contexts ;;
    'context remove 1') kind=contexts ;;
    'auth login --mfa') kind=nothing ;;
    'auth login --cert') kind=nothing ;;
    'auth login --service-token-file') kind=nothing ;;
    'auth login 1') kind=nothing ;;
    'auth logout --session') kind=nothing ;;
    'driver show 1') kind=drivers ;;
    'driver enable --reason') kind=nothing ;;
    'driver enable 1') kind=drivers ;;
    'driver disable --reason') kind=nothing ;;
    'driver disable 1') kind=drivers ;;
    'approval list --status') kind=choices words='pending approved rejected used expired' ;;
    'approval request --operation') kind=nothing ;;
    'approval request --stop-id') kind=nothing ;;
    'approval request --justification') kind=nothing ;;
    'approval request 1') kind=devices ;;
    'approval request 2') kind=registers ;;
    'approval request 3') kind=nothing ;;
    'approval approve --justification') kind=nothing ;;
    'approval approve 1') kind=nothing ;;
    'approval reject --justification') kind=nothing ;;
    'approval reject 1') kind=nothing ;;
    'audit log --device') kind=devices ;;
    'audit log --since') kind=nothing ;;
    'audit log --until') kind=nothing ;;
    'audit log --action') kind=nothing ;;
    'audit log --outcome') kind=nothing ;;
    'audit log --user') kind=nothing ;;
    'audit log --limit') kind=nothing ;;
    'audit log --offset') kind=nothing ;;
    'audit show 1') kind=nothing ;;
    'audit verify --anchor') kind=nothing ;;
    'audit export 1') kind=files ;;
    'audit restart --reason') kind=nothing ;;
    'sim serve --port') kind=nothing ;;
    'sim serve --devices') kind=nothing ;;
    'sim serve --layout') kind=nothing ;;
    'sim serve --seed') kind=nothing ;;
    'sim serve --fault') kind=nothing ;;
    'sim serve --kind') kind=nothing ;;
    'sim serve --past') kind=nothing ;;
    'sim serve --record-interval') kind=nothing ;;
    'serve --users') kind=nothing ;;
    'serve --host') kind=nothing ;;
    'serve --port') kind=nothing ;;
    'serve --tls-cert') kind=nothing ;;
    'serve --tls-key') kind=nothing ;;
    'serve --client-ca') kind=nothing ;;
    'serve --settings') kind=nothing ;;
    'serve --record-interval') kind=nothing ;;
    'serve 1') kind=nothing ;;
    'user add --clearance') kind=nothing ;;
    'user add --devices') kind=nothing ;;
    'user add --compartment') kind=nothing ;;
    'user add --person') kind=nothing ;;
    'user add --certificate') kind=nothing ;;
    'user add --users') kind=nothing ;;
    'user add 1') kind=nothing ;;
    'user list --users') kind=nothing ;;
    'user disable --users') kind=nothing ;;
    'user disable 1') kind=nothing ;;
    'user passwd --users') kind=nothing ;;
    'user passwd 1') kind=nothing ;;
    'user totp --users') kind=nothing ;;
    'user totp 1') kind=nothing ;;
    'config set 1') kind=nothing ;;
    'config set 2') kind=nothing ;;
    'config validate 1') kind=files ;;
    'doctor --bundle') kind=nothing ;;
    'demo --seconds') kind=nothing ;;
  esac
}

# The words up to the cursor, put together again where COMP_WORDBREAKS took them apart.
__dsmilctl_split() {
  local line=${COMP_LINE:0:COMP_POINT} index piece
  count=0
  for ((index = 0; index <= COMP_CWORD; index++)); do
    piece=${COMP_WORDS[index]}
    if [[ $count -eq 0 || -z $line || $line == [[:space:]]* ]]; then
      line=${line#"${line%%[![:space:]]*}"}
      typed[count++]=
    fi
    [[ $line == "$piece"* ]] || piece=$line
    line=${line#"$piece"}
    typed[count - 1]+=$piece
  done
  current=${typed[count - 1]}
}

# What the words before the cursor say: the command, the position, an option that waits for its value.
__dsmilctl_walk() {
  local index word words
  for ((index = 1; index < count - 1; index++)); do
    word=${typed[index]}
    if [[ -n $option ]]; then
      [[ $option == -C || $option == --context ]] && context=$word
      option=
    elif [[ -n $ended ]]; then
      ((position++))
    elif [[ $word == -- ]]; then
      ended=yes
    elif [[ $word == --context=* ]]; then
      context=${word#*=}
    elif [[ $word == -?* ]]; then
      __dsmilctl_takes "$command" "$word" && option=$word
    elif [[ -z $command ]]; then
      command=$word
      __dsmilctl_verbs "$command"
      verbs=$words
    elif [[ -n $verbs ]]; then
      command+=" $word"
      verbs=
    else
      ((position++))
    fi
  done
}

# The folder of words, empty when there is none.
__dsmilctl_folder() {
  if [[ -n ${DSMIL_HOME-} ]]; then
    folder=$DSMIL_HOME/cache/completion
  elif [[ ${XDG_CACHE_HOME-} == /* ]]; then
    folder=$XDG_CACHE_HOME/dsmilctl/completion
  elif [[ ${OSTYPE-} == darwin* ]]; then
    folder=$HOME/Library/Caches/dsmilctl/completion
  else
    folder=$HOME/.cache/dsmilctl/completion
  fi
}

# Offer a word that begins with what was typed.
__dsmilctl_offer() {
  local word=$1
  [[ $word == *[![:alnum:]_./:@%+=,-]* ]] && printf -v word %q "$word"
  [[ $word == "$part"* ]] && COMPREPLY+=("$front$word")
}

__dsmilctl_offer_all() {
  local word
  for word in $1; do __dsmilctl_offer "$word"; done
}

# Offer the first word of every line of a file; a line with control characters is nobody's.
__dsmilctl_offer_file() {
  local word meaning
  [[ -r $1 && -f $1 ]] || return
  while IFS=$'\t' read -r word meaning; do
    [[ -z $word || $word == *[[:cntrl:]]* ]] || __dsmilctl_offer "$word"
  done <"$1"
}

# Offer what a kind stands for; a selector goes on after its last comma.
__dsmilctl_offer_kind() {
  local folder
  __dsmilctl_folder
  case $kind in
    choices) __dsmilctl_offer_all "$words" ;;
    contexts | drivers) __dsmilctl_offer_file "$folder/$kind" ;;
    devices | registers)
      [[ -n $context || ! -r $folder/current ]] || IFS=$'\t' read -r context _ <"$folder/current"
      context=${context:-local}
      [[ $context == [[:alnum:]]* && $context != *[![:alnum:]._-]* ]] || return
      if [[ $kind == devices ]]; then
        front+=${part%"${part##*,}"}
        part=${part##*,}
        [[ -z $part ]] || __dsmilctl_offer_all "$__dsmilctl_filters"
      fi
      __dsmilctl_offer_file "$folder/$context/$kind"
      ;;
    files) compopt -o default 2>/dev/null ;;
    folders) compopt -o dirnames 2>/dev/null ;;
  esac
}

# Offer what may stand where the cursor is.
__dsmilctl_here() {
  local kind words
  if [[ -n $option ]]; then
    __dsmilctl_kind "$command" "$option"
    __dsmilctl_offer_kind
  elif [[ -z $ended && $current == --*=* ]]; then
    front=${current%%=*}= part=${current#*=}
    __dsmilctl_kind "$command" "${current%%=*}"
    __dsmilctl_offer_kind
  elif [[ -z $ended && $current == -* ]]; then
    __dsmilctl_options "$command"
    __dsmilctl_offer_all "$words"
  elif [[ -z $command ]]; then
    __dsmilctl_offer_all "$__dsmilctl_nouns"
  elif [[ -n $verbs ]]; then
    __dsmilctl_offer_all "$verbs"
  else
    __dsmilctl_kind "$command" "$position"
    [[ -n $kind ]] || __dsmilctl_kind "$command" +
    __dsmilctl_offer_kind
  fi
}

_dsmilctl() {
  local IFS=$' \t\n'
  local -a typed
  local count current command= verbs= position=1 option= ended= context=${DSMIL_CONTEXT-} front= part
  COMPREPLY=()
  __dsmilctl_split
  __dsmilctl_walk
  part=$current
  __dsmilctl_here

  __dsmilctl_trim
}

# Readline replaces only what follows the last word break in what was typed: give it no more than that.
__dsmilctl_trim() {
  local index sign head=
  for ((index = 0; index < ${#current}; index++)); do
    sign=${current:index:1}
    [[ $sign == [=:@] && $COMP_WORDBREAKS == *"$sign"* ]] && head=${current:0:index+1}
  done
  for ((index = 0; index < ${#COMPREPLY[@]}; index++)); do
    COMPREPLY[index]=${COMPREPLY[index]#"$head"}
  done
}

complete -F _dsmilctl dsmilctl
