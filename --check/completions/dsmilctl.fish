# Completion of dsmilctl for fish 3.1 and newer.  Generated from the command tree: `make docs` writes it anew.
#
# No process is started: nouns, verbs, options and fixed choices stand in this file; devices, registers,
# contexts and drivers are read from files that dsmilctl leaves in its cache folder.  What is read there is
# compared and quoted, never evaluated.

set -g __dsmilctl_nouns device bulk stream record backup emergency context auth system driver approval audit sim user config completion
set -g __dsmilctl_filters risk=LOW risk=MEDIUM risk=HIGH risk=CRITICAL state=unknown state=discovered state=initialized state=connected state=active state=error state=disconnected quarantined=True quarantined=False
set -g __dsmilctl_valued '-C' '--context' '-o' '--output-format' '--fields' '--jq' '--timeout' '--deadline' '--retry' '--progress' '--log-file' '--log-format' 'device list --group' 'device list --risk' 'device list --status' 'device read --offset' 'device read --length' 'device read --watch' 'device read --justification' 'device read --approval' 'device write --justification' 'device write --if-value' 'device write --approval' 'device configure --file' 'device configure --justification' 'device configure --approval' 'device activate --justification' 'device activate --approval' 'device deactivate --justification' 'device deactivate --approval' 'device reset --justification' 'device reset --approval' 'device command --justification' 'device command --approval' 'device history --since' 'device history --until' 'device history --type' 'device history --limit' 'device history --offset' 'bulk read --mode' 'bulk read --concurrency' 'bulk write --file' 'bulk write --justification' 'bulk write --mode' 'bulk write --concurrency' 'bulk run --justification' 'bulk run --mode' 'bulk run --concurrency' 'bulk undo --justification' 'stream devices --interval' 'stream devices --count' 'stream devices --for' 'stream devices --transport' 'stream events --type' 'stream events --severity' 'stream events --count' 'stream events --for' 'stream events --interval' 'record run -n' 'record run --name' 'record run --interval' 'record run --for' 'record run --when' 'record run --pre-trigger' 'record run --post-trigger' 'record run --type' 'record run --notes' 'record run --tag' 'record run --also' 'record run --archive' 'record start -n' 'record start --name' 'record start --interval' 'record start --for' 'record start --when' 'record start --pre-trigger' 'record start --post-trigger' 'record start --type' 'record start --notes' 'record start --tag' 'record start --also' 'record start --archive' 'record stop --status' 'record stop --notes' 'record stop --archive' 'record list --archive' 'record show --archive' 'record status --archive' 'record note --archive' 'record query --since' 'record query --until' 'record query --every' 'record query --agg' 'record query --recording' 'record query --limit' 'record query --sql' 'record query --archive' 'record export --format' 'record export --output' 'record export --table' 'record export --devices' 'record export --registers' 'record export --since' 'record export --until' 'record export --compress' 'record export --archive' 'record import -n' 'record import --name' 'record import --format' 'record import --archive' 'record replay --speed' 'record replay --from' 'record replay --to' 'record replay --count' 'record replay --archive' 'record report --output' 'record report --archive' 'record check --archive' 'record maintain --keep-raw' 'record maintain --keep-seconds' 'record maintain --keep-minutes' 'record maintain --keep-hours' 'record maintain --archive' 'record token --method' 'record token --operation' 'record token --initial' 'record token --set' 'record token --expect' 'record token --final' 'record token --outcome' 'record token --error' 'record token --message' 'record token --retries' 'record token --notes' 'record token --recording' 'record token --limit' 'record token --archive' 'backup create -n' 'backup create --name' 'backup create --to' 'backup create --passphrase-file' 'backup create --keep' 'backup create --archive' 'backup list --at' 'backup show --passphrase-file' 'backup show --at' 'backup verify --passphrase-file' 'backup verify --at' 'backup restore --to' 'backup restore --recording' 'backup restore --confirm' 'backup restore --passphrase-file' 'backup restore --at' 'backup restore --archive' 'backup prune --keep-last' 'backup prune --keep-hourly' 'backup prune --keep-daily' 'backup prune --keep-weekly' 'backup prune --keep-monthly' 'backup prune --keep-yearly' 'backup prune --keep-within' 'backup prune --at' 'backup schedule --every' 'backup schedule --keep' 'backup schedule --to' 'backup schedule --passphrase-file' 'backup schedule --archive' 'emergency stop --reason' 'emergency stop --deadline' 'emergency history --limit' 'emergency release --justification' 'emergency release --confirm' 'emergency release --approval' 'context add --url' 'context add --fleet' 'context add --driver' 'context add --option' 'context add --ca' 'context add --cert' 'auth login --mfa' 'auth login --cert' 'auth login --service-token-file' 'auth logout --session' 'driver enable --reason' 'driver disable --reason' 'approval list --status' 'approval request --operation' 'approval request --stop-id' 'approval request --justification' 'approval approve --justification' 'approval reject --justification' 'audit log --device' 'audit log --since' 'audit log --until' 'audit log --action' 'audit log --outcome' 'audit log --user' 'audit log --limit' 'audit log --offset' 'audit verify --anchor' 'audit restart --reason' 'sim serve --port' 'sim serve --devices' 'sim serve --layout' 'sim serve --seed' 'sim serve --fault' 'sim serve --kind' 'sim serve --past' 'sim serve --record-interval' 'serve --users' 'serve --host' 'serve --port' 'serve --tls-cert' 'serve --tls-key' 'serve --client-ca' 'serve --settings' 'serve --record-interval' 'user add --clearance' 'user add --devices' 'user add --compartment' 'user add --person' 'user add --certificate' 'user add --users' 'user list --users' 'user disable --users' 'user passwd --users' 'user totp --users' 'doctor --bundle' 'demo --seconds'

# The command before the cursor, a line, and then the arguments that it has been given so far.
function __dsmilctl_walk
    set -l command
    set -l arguments
    set -l waiting
    set -l ended
    for word in (commandline -opc)[2..-1]
        if set -q waiting[1]
            set -e waiting
        else if set -q ended[1]
            set -a arguments $word
        else if test "$word" = --
            set ended yes
        else if string match -q -- '-?*' $word
            if contains -- $word $__dsmilctl_valued; or contains -- "$command $word" $__dsmilctl_valued
                set waiting $word
            end
        else if not set -q command[1]
            set command $word
        else if contains -- "$command" $__dsmilctl_nouns
            set command "$command $word"
        else
            set -a arguments $word
        end
    end
    printf '%s\n' "$command" $arguments
end

# Whether the cursor is where a noun, or a verb of this noun, may stand.
function __dsmilctl_at
    test (__dsmilctl_walk)[1] = "$argv"
end

# Whether the cursor is in this command.
function __dsmilctl_in
    test (__dsmilctl_walk)[1] = "$argv"
end

# Whether the cursor is on this argument of a command; `2+` is the second and all after it.
function __dsmilctl_place
    set -l walked (__dsmilctl_walk)
    test "$walked[1]" = "$argv[2..-1]"; or return 1
    if string match -q -- '*+' $argv[1]
        test (count $walked) -ge (string trim -r -c + -- $argv[1])
    else
        test (count $walked) -eq $argv[1]
    end
end

# The context that the command line names.
function __dsmilctl_context
    set -l named $DSMIL_CONTEXT
    set -l before
    for word in (commandline -opc)
        if contains -- "$before" -C --context
            set named $word
        else if string match -q -- '--context=*' $word
            set named (string replace -- --context= '' $word)
        end
        set before $word
    end
    if test -z "$named" -a -r $argv[1]/current
        read -d \t named rest <$argv[1]/current
    end
    test -n "$named"; or set named local
    string match -r -- '^[A-Za-z0-9][A-Za-z0-9._-]*$' $named
end

# The words of one kind, each with its meaning; a line with control characters is nobody's.
function __dsmilctl_words
    set -l folder $HOME/.cache/dsmilctl/completion
    if test -n "$DSMIL_HOME"
        set folder $DSMIL_HOME/cache/completion
    else if string match -q -- '/*' $XDG_CACHE_HOME
        set folder $XDG_CACHE_HOME/dsmilctl/completion
    else if test -d $HOME/Library/Caches
        set folder $HOME/Library/Caches/dsmilctl/completion
    end
    set -l file $folder/$argv[1]
    if contains -- $argv[1] devices registers
        set file $folder/(__dsmilctl_context $folder)/$argv[1]
    end
    if test -f "$file" -a -r "$file"
        string match -r -- '^[^\x00-\x1f\x7f]+(?:\t[^\x00-\x1f\x7f]*)?$' <$file
    end
end

# What a selector may go on with, after its last comma.
function __dsmilctl_selector
    set -l typed (commandline -ct)
    set -l before (string match -r -- '^.*,' $typed; or echo '')
    set -l words (__dsmilctl_words devices)
    printf '%s\n' $before$words
    if not string match -q -r -- '(^|,)$' "$typed"
        printf '%s\n' $before$__dsmilctl_filters
    end
end

complete -c dsmilctl -e
complete -c dsmilctl -f
complete -c dsmilctl -s C -l context -x -a '(__dsmilctl_words contexts)' -d 'the context to work on'
complete -c dsmilctl -s o -l output-format -x -a 'table wide json ndjson csv plain' -d 'table, wide, json, ndjson, csv, plain'
complete -c dsmilctl -l json -d 'the same as -o json'
complete -c dsmilctl -l fields -x -d 'only these fields, in this order'
complete -c dsmilctl -l jq -x -d 'a jq program over the JSON document'
complete -c dsmilctl -l read-only -d 'let no change through'
complete -c dsmilctl -l timeout -x -d 'for one attempt on one device'
complete -c dsmilctl -l deadline -x -d 'for the whole command'
complete -c dsmilctl -l retry -x -d 'how often a failed read is tried again'
complete -c dsmilctl -l progress -x -a 'auto json none' -d 'auto, json or none'
complete -c dsmilctl -s v -l verbose -d 'log to stderr; -vv for every detail'
complete -c dsmilctl -l log-file -r -F -d 'log to a file'
complete -c dsmilctl -l log-format -x -a 'text json' -d 'text or json'
complete -c dsmilctl -l debug -d 'tracebacks, and the log of every detail'
complete -c dsmilctl -s h -l help -d 'help on dsmilctl, a noun or a verb'

complete -c dsmilctl -n '__dsmilctl_at' -a device -d 'list, read, write and control devices'
complete -c dsmilctl -n '__dsmilctl_at device' -a list -d 'List devices'
complete -c dsmilctl -n '__dsmilctl_at device' -a show -d 'Show one device with its registers, their limits, and the commands that it takes'
complete -c dsmilctl -n '__dsmilctl_at device' -a registers -d 'Show the registers of one device: address, type, unit, access and limits'
complete -c dsmilctl -n '__dsmilctl_at device' -a read -d 'Read registers of one or many devices'
complete -c dsmilctl -n '__dsmilctl_at device' -a write -d 'Write one register: shows old → new, asks, writes, reads back'
complete -c dsmilctl -n '__dsmilctl_at device' -a configure -d 'Set settings of one device'
complete -c dsmilctl -n '__dsmilctl_at device' -a activate -d 'Activate devices'
complete -c dsmilctl -n '__dsmilctl_at device' -a deactivate -d 'Deactivate devices'
complete -c dsmilctl -n '__dsmilctl_at device' -a reset -d 'Bring devices back to their start state'
complete -c dsmilctl -n '__dsmilctl_at device' -a command -d 'Carry out a command that the device\'s driver declares; `device show` lists them'
complete -c dsmilctl -n '__dsmilctl_at device' -a history -d 'Show what was asked of one device, newest first.  Source: the journal'
complete -c dsmilctl -n '__dsmilctl_at device' -a scan -d 'Ask the drivers which devices there are'
complete -c dsmilctl -n '__dsmilctl_at device' -a initialize -d 'Prepare devices for a connection'
complete -c dsmilctl -n '__dsmilctl_at device' -a connect -d 'Open the conversation with devices, to see whether they can be reached; it ends with the command'
complete -c dsmilctl -n '__dsmilctl_at device' -a disconnect -d 'Close the conversation with devices'
complete -c dsmilctl -n '__dsmilctl_at device' -a state -d 'Show the lifecycle state of devices, why and since when'
complete -c dsmilctl -n '__dsmilctl_at device' -a cleanup -d 'Close devices and forget that they were initialised'
complete -c dsmilctl -n '__dsmilctl_in device list' -l group -x -d 'only this group'
complete -c dsmilctl -n '__dsmilctl_in device list' -l risk -x -a 'LOW MEDIUM HIGH CRITICAL' -d 'only LOW, MEDIUM, HIGH or CRITICAL'
complete -c dsmilctl -n '__dsmilctl_in device list' -l status -x -a 'unknown discovered initialized connected active error disconnected' -d 'only devices in this state'
complete -c dsmilctl -n '__dsmilctl_in device list' -l quarantined -d 'quarantined devices, too'
complete -c dsmilctl -n '__dsmilctl_place 1 device list' -a '(__dsmilctl_selector)'
complete -c dsmilctl -n '__dsmilctl_place 1 device show' -a '(__dsmilctl_selector)'
complete -c dsmilctl -n '__dsmilctl_place 1 device registers' -a '(__dsmilctl_selector)'
complete -c dsmilctl -n '__dsmilctl_in device read' -l offset -x -d 'byte offset within the register\'s block'
complete -c dsmilctl -n '__dsmilctl_in device read' -l length -x -d 'bytes to read from there'
complete -c dsmilctl -n '__dsmilctl_in device read' -l watch -x -d 'read again every second, or as often: 500ms, 10s'
complete -c dsmilctl -n '__dsmilctl_in device read' -l justification -x -d 'why; the policy may ask for it'
complete -c dsmilctl -n '__dsmilctl_in device read' -l approval -x -d 'a second person\'s approval, given on a server'
complete -c dsmilctl -n '__dsmilctl_place 1 device read' -a '(__dsmilctl_selector)'
complete -c dsmilctl -n '__dsmilctl_place 2+ device read' -a '(__dsmilctl_words registers)'
complete -c dsmilctl -n '__dsmilctl_in device write' -l justification -x -d 'why; the policy may ask for it'
complete -c dsmilctl -n '__dsmilctl_in device write' -l if-value -x -d 'only if the register holds this value'
complete -c dsmilctl -n '__dsmilctl_in device write' -l verify -l no-verify -d 'read the register back'
complete -c dsmilctl -n '__dsmilctl_in device write' -l dry-run -d 'go through every check, change nothing'
complete -c dsmilctl -n '__dsmilctl_in device write' -s y -l yes -d 'do not ask'
complete -c dsmilctl -n '__dsmilctl_in device write' -l approval -x -d 'a second person\'s approval, given on a server'
complete -c dsmilctl -n '__dsmilctl_place 1 device write' -a '(__dsmilctl_selector)'
complete -c dsmilctl -n '__dsmilctl_place 2 device write' -a '(__dsmilctl_words registers)'
complete -c dsmilctl -n '__dsmilctl_in device configure' -l file -r -F -d 'settings as JSON, - for stdin'
complete -c dsmilctl -n '__dsmilctl_in device configure' -l justification -x -d 'why; the policy may ask for it'
complete -c dsmilctl -n '__dsmilctl_in device configure' -l dry-run -d 'go through every check, change nothing'
complete -c dsmilctl -n '__dsmilctl_in device configure' -s y -l yes -d 'do not ask'
complete -c dsmilctl -n '__dsmilctl_in device configure' -l approval -x -d 'a second person\'s approval, given on a server'
complete -c dsmilctl -n '__dsmilctl_place 1 device configure' -a '(__dsmilctl_selector)'
complete -c dsmilctl -n '__dsmilctl_in device activate' -l justification -x -d 'why; the policy may ask for it'
complete -c dsmilctl -n '__dsmilctl_in device activate' -l dry-run -d 'go through every check, change nothing'
complete -c dsmilctl -n '__dsmilctl_in device activate' -s y -l yes -d 'do not ask'
complete -c dsmilctl -n '__dsmilctl_in device activate' -l approval -x -d 'a second person\'s approval, given on a server'
complete -c dsmilctl -n '__dsmilctl_place 1 device activate' -a '(__dsmilctl_selector)'
complete -c dsmilctl -n '__dsmilctl_in device deactivate' -l justification -x -d 'why; the policy may ask for it'
complete -c dsmilctl -n '__dsmilctl_in device deactivate' -l dry-run -d 'go through every check, change nothing'
complete -c dsmilctl -n '__dsmilctl_in device deactivate' -s y -l yes -d 'do not ask'
complete -c dsmilctl -n '__dsmilctl_in device deactivate' -l approval -x -d 'a second person\'s approval, given on a server'
complete -c dsmilctl -n '__dsmilctl_place 1 device deactivate' -a '(__dsmilctl_selector)'
complete -c dsmilctl -n '__dsmilctl_in device reset' -l justification -x -d 'why; the policy may ask for it'
complete -c dsmilctl -n '__dsmilctl_in device reset' -l dry-run -d 'go through every check, change nothing'
complete -c dsmilctl -n '__dsmilctl_in device reset' -s y -l yes -d 'do not ask'
complete -c dsmilctl -n '__dsmilctl_in device reset' -l approval -x -d 'a second person\'s approval, given on a server'
complete -c dsmilctl -n '__dsmilctl_place 1 device reset' -a '(__dsmilctl_selector)'
complete -c dsmilctl -n '__dsmilctl_in device command' -l justification -x -d 'why; the policy may ask for it'
complete -c dsmilctl -n '__dsmilctl_in device command' -l dry-run -d 'go through every check, change nothing'
complete -c dsmilctl -n '__dsmilctl_in device command' -s y -l yes -d 'do not ask'
complete -c dsmilctl -n '__dsmilctl_in device command' -l approval -x -d 'a second person\'s approval, given on a server'
complete -c dsmilctl -n '__dsmilctl_place 1 device command' -a '(__dsmilctl_selector)'
complete -c dsmilctl -n '__dsmilctl_in device history' -l since -x -d 'from: 2026-11-20T10:00Z, 2h (ago)'
complete -c dsmilctl -n '__dsmilctl_in device history' -l until -x -d 'up to'
complete -c dsmilctl -n '__dsmilctl_in device history' -l type -x -d 'WRITE, CONFIG, RESET, …'
complete -c dsmilctl -n '__dsmilctl_in device history' -l limit -x -d 'at most so many, newest first'
complete -c dsmilctl -n '__dsmilctl_in device history' -l offset -x -d 'leave out so many of the newest'
complete -c dsmilctl -n '__dsmilctl_place 1 device history' -a '(__dsmilctl_selector)'
complete -c dsmilctl -n '__dsmilctl_place 1 device scan' -a '(__dsmilctl_selector)'
complete -c dsmilctl -n '__dsmilctl_place 1 device initialize' -a '(__dsmilctl_selector)'
complete -c dsmilctl -n '__dsmilctl_place 1 device connect' -a '(__dsmilctl_selector)'
complete -c dsmilctl -n '__dsmilctl_place 1 device disconnect' -a '(__dsmilctl_selector)'
complete -c dsmilctl -n '__dsmilctl_place 1 device state' -a '(__dsmilctl_selector)'
complete -c dsmilctl -n '__dsmilctl_place 1 device cleanup' -a '(__dsmilctl_selector)'

complete -c dsmilctl -n '__dsmilctl_at' -a bulk -d 'read or change many devices at once, with a plan and an undo'
complete -c dsmilctl -n '__dsmilctl_at bulk' -a read -d 'Read registers of many devices; exit status 6 when some fail'
complete -c dsmilctl -n '__dsmilctl_at bulk' -a write -d 'Write one register of many devices, or what a file says; the plan first, undo later'
complete -c dsmilctl -n '__dsmilctl_at bulk' -a run -d 'Carry out mixed changes from a file: one JSON object or CSV row each'
complete -c dsmilctl -n '__dsmilctl_at bulk' -a status -d 'Show what became of a bulk'
complete -c dsmilctl -n '__dsmilctl_at bulk' -a undo -d 'Put back what a bulk of writes changed, through the same guard; shows the plan first'
complete -c dsmilctl -n '__dsmilctl_in bulk read' -l mode -x -d 'parallel or sequential'
complete -c dsmilctl -n '__dsmilctl_in bulk read' -l concurrency -x -d 'at most so many at once; 0 is all'
complete -c dsmilctl -n '__dsmilctl_in bulk read' -l stop-on-error -d 'begin nothing new after a failure'
complete -c dsmilctl -n '__dsmilctl_place 1 bulk read' -a '(__dsmilctl_selector)'
complete -c dsmilctl -n '__dsmilctl_place 2+ bulk read' -a '(__dsmilctl_words registers)'
complete -c dsmilctl -n '__dsmilctl_in bulk write' -l file -r -F -d 'device_id, register and value per line: .csv, .json, -'
complete -c dsmilctl -n '__dsmilctl_in bulk write' -l justification -x -d 'why; the policy may ask for it'
complete -c dsmilctl -n '__dsmilctl_in bulk write' -l mode -x -d 'parallel or sequential'
complete -c dsmilctl -n '__dsmilctl_in bulk write' -l concurrency -x -d 'at most so many at once; 0 is all'
complete -c dsmilctl -n '__dsmilctl_in bulk write' -l stop-on-error -d 'begin nothing new after a failure'
complete -c dsmilctl -n '__dsmilctl_in bulk write' -l dry-run -d 'go through every check, change nothing'
complete -c dsmilctl -n '__dsmilctl_in bulk write' -s y -l yes -d 'do not ask'
complete -c dsmilctl -n '__dsmilctl_place 1 bulk write' -a '(__dsmilctl_selector)'
complete -c dsmilctl -n '__dsmilctl_place 2 bulk write' -a '(__dsmilctl_words registers)'
complete -c dsmilctl -n '__dsmilctl_in bulk run' -l justification -x -d 'why; the policy may ask for it'
complete -c dsmilctl -n '__dsmilctl_in bulk run' -l mode -x -d 'parallel or sequential'
complete -c dsmilctl -n '__dsmilctl_in bulk run' -l concurrency -x -d 'at most so many at once; 0 is all'
complete -c dsmilctl -n '__dsmilctl_in bulk run' -l stop-on-error -d 'begin nothing new after a failure'
complete -c dsmilctl -n '__dsmilctl_in bulk run' -l dry-run -d 'go through every check, change nothing'
complete -c dsmilctl -n '__dsmilctl_in bulk run' -s y -l yes -d 'do not ask'
complete -c dsmilctl -n '__dsmilctl_place 1 bulk run' -r -F
complete -c dsmilctl -n '__dsmilctl_in bulk undo' -l justification -x -d 'why; the policy may ask for it'
complete -c dsmilctl -n '__dsmilctl_in bulk undo' -l dry-run -d 'go through every check, change nothing'
complete -c dsmilctl -n '__dsmilctl_in bulk undo' -s y -l yes -d 'do not ask'

complete -c dsmilctl -n '__dsmilctl_at' -a stream -d 'follow readings and events'
complete -c dsmilctl -n '__dsmilctl_at stream' -a devices -d 'Follow readings of devices'
complete -c dsmilctl -n '__dsmilctl_at stream' -a events -d 'Follow events: devices that fail and answer again, emergency stops, a journal that cannot be written'
complete -c dsmilctl -n '__dsmilctl_in stream devices' -l interval -x -d 'from one reading to the next'
complete -c dsmilctl -n '__dsmilctl_in stream devices' -l count -x -d 'end after N lines of data'
complete -c dsmilctl -n '__dsmilctl_in stream devices' -l for -x -d 'end after 500ms, 10s, 2m, 1h'
complete -c dsmilctl -n '__dsmilctl_in stream devices' -l transport -x -d 'auto or poll; on a server also ws and sse'
complete -c dsmilctl -n '__dsmilctl_place 1 stream devices' -a '(__dsmilctl_selector)'
complete -c dsmilctl -n '__dsmilctl_place 2+ stream devices' -a '(__dsmilctl_words registers)'
complete -c dsmilctl -n '__dsmilctl_in stream events' -l type -x -d 'only these: device.state, emergency.*, …'
complete -c dsmilctl -n '__dsmilctl_in stream events' -l severity -x -d 'this or worse: info, warning, error'
complete -c dsmilctl -n '__dsmilctl_in stream events' -l count -x -d 'end after N lines of data'
complete -c dsmilctl -n '__dsmilctl_in stream events' -l for -x -d 'end after 500ms, 10s, 2m, 1h'
complete -c dsmilctl -n '__dsmilctl_in stream events' -l interval -x -d 'from one look at the devices to the next'

complete -c dsmilctl -n '__dsmilctl_at' -a record -d 'keep what the fleet does, query it, export it, prove it'
complete -c dsmilctl -n '__dsmilctl_at record' -a run -d 'Record readings, operations and events in the foreground'
complete -c dsmilctl -n '__dsmilctl_at record' -a start -d 'Record in the background until `record stop`, or for a time'
complete -c dsmilctl -n '__dsmilctl_at record' -a stop -d 'End the recording that runs; returns when everything it kept is sealed'
complete -c dsmilctl -n '__dsmilctl_at record' -a list -d 'List the recordings, newest first'
complete -c dsmilctl -n '__dsmilctl_at record' -a show -d 'Show one recording: what it holds, who made it, on what'
complete -c dsmilctl -n '__dsmilctl_at record' -a status -d 'Show recorder, archive, integrity and backups: what records now, how large it is, how sound'
complete -c dsmilctl -n '__dsmilctl_at record' -a note -d 'Note something with the time now, while a recording runs or afterwards; it is one of its events'
complete -c dsmilctl -n '__dsmilctl_at record' -a query -d 'Show recorded readings, or one value for each stretch of time, or the answer to a SELECT'
complete -c dsmilctl -n '__dsmilctl_at record' -a export -d 'Write a recording to a file that other programs read; it is whole or not there'
complete -c dsmilctl -n '__dsmilctl_at record' -a import -d 'Bring an exported recording into the archive, or the sessions of the system before'
complete -c dsmilctl -n '__dsmilctl_at record' -a replay -d 'Play a recording again: its readings come as they came, with the times at which they were taken'
complete -c dsmilctl -n '__dsmilctl_at record' -a report -d 'Tell on one page what a recording holds: statistics, charts, limits, gaps, operations, what to do'
complete -c dsmilctl -n '__dsmilctl_at record' -a check -d 'Read everything back and say what is wrong, where, and how to mend it; exit status 9 then'
complete -c dsmilctl -n '__dsmilctl_at record' -a maintain -d 'Remove what is over, after stretches of the next coarser length have taken its place'
complete -c dsmilctl -n '__dsmilctl_at record' -a token -d 'Keep the test of an SMBIOS token, from `begin` to `end`, in the recording that runs'
complete -c dsmilctl -n '__dsmilctl_in record run' -s n -l name -x -d 'what the recording is called'
complete -c dsmilctl -n '__dsmilctl_in record run' -l interval -x -d 'from one reading to the next; default 1s'
complete -c dsmilctl -n '__dsmilctl_in record run' -l for -x -d 'end after 10s, 2m, 1h'
complete -c dsmilctl -n '__dsmilctl_in record run' -l host-metrics -d 'load, memory, disk and temperatures of this machine, too'
complete -c dsmilctl -n '__dsmilctl_in record run' -l kernel -d 'the messages of this machine\'s kernel, too'
complete -c dsmilctl -n '__dsmilctl_in record run' -l when -x -d 'keep readings only around this: \'TEMP > 80\''
complete -c dsmilctl -n '__dsmilctl_in record run' -l pre-trigger -x -d 'what to keep from before; default 30s'
complete -c dsmilctl -n '__dsmilctl_in record run' -l post-trigger -x -d 'what to keep from after; default 10s'
complete -c dsmilctl -n '__dsmilctl_in record run' -l type -x -d 'single, group, range, comprehensive, custom'
complete -c dsmilctl -n '__dsmilctl_in record run' -l notes -x -d 'what should be known about it'
complete -c dsmilctl -n '__dsmilctl_in record run' -l tag -x -d 'may be repeated'
complete -c dsmilctl -n '__dsmilctl_in record run' -l also -x -d 'csv, ndjson, parquet, dsm: files beside the archive'
complete -c dsmilctl -n '__dsmilctl_in record run' -l archive -x -d 'another archive than that of this user'
complete -c dsmilctl -n '__dsmilctl_place 1 record run' -a '(__dsmilctl_selector)'
complete -c dsmilctl -n '__dsmilctl_place 2+ record run' -a '(__dsmilctl_words registers)'
complete -c dsmilctl -n '__dsmilctl_in record start' -s n -l name -x -d 'what the recording is called'
complete -c dsmilctl -n '__dsmilctl_in record start' -l interval -x -d 'from one reading to the next; default 1s'
complete -c dsmilctl -n '__dsmilctl_in record start' -l for -x -d 'end after 10s, 2m, 1h'
complete -c dsmilctl -n '__dsmilctl_in record start' -l host-metrics -d 'load, memory, disk and temperatures of this machine, too'
complete -c dsmilctl -n '__dsmilctl_in record start' -l kernel -d 'the messages of this machine\'s kernel, too'
complete -c dsmilctl -n '__dsmilctl_in record start' -l when -x -d 'keep readings only around this: \'TEMP > 80\''
complete -c dsmilctl -n '__dsmilctl_in record start' -l pre-trigger -x -d 'what to keep from before; default 30s'
complete -c dsmilctl -n '__dsmilctl_in record start' -l post-trigger -x -d 'what to keep from after; default 10s'
complete -c dsmilctl -n '__dsmilctl_in record start' -l type -x -d 'single, group, range, comprehensive, custom'
complete -c dsmilctl -n '__dsmilctl_in record start' -l notes -x -d 'what should be known about it'
complete -c dsmilctl -n '__dsmilctl_in record start' -l tag -x -d 'may be repeated'
complete -c dsmilctl -n '__dsmilctl_in record start' -l also -x -d 'csv, ndjson, parquet, dsm: files beside the archive'
complete -c dsmilctl -n '__dsmilctl_in record start' -l archive -x -d 'another archive than that of this user'
complete -c dsmilctl -n '__dsmilctl_place 1 record start' -a '(__dsmilctl_selector)'
complete -c dsmilctl -n '__dsmilctl_place 2+ record start' -a '(__dsmilctl_words registers)'
complete -c dsmilctl -n '__dsmilctl_in record stop' -l status -x -d 'how it ended: completed, failed or aborted'
complete -c dsmilctl -n '__dsmilctl_in record stop' -l notes -x -d 'what should be known about it'
complete -c dsmilctl -n '__dsmilctl_in record stop' -l archive -x -d 'another archive than that of this user'
complete -c dsmilctl -n '__dsmilctl_in record list' -l archive -x -d 'another archive than that of this user'
complete -c dsmilctl -n '__dsmilctl_in record show' -l archive -x -d 'another archive than that of this user'
complete -c dsmilctl -n '__dsmilctl_in record status' -l archive -x -d 'another archive than that of this user'
complete -c dsmilctl -n '__dsmilctl_in record note' -l archive -x -d 'another archive than that of this user'
complete -c dsmilctl -n '__dsmilctl_in record query' -l since -x -d 'from: 2026-11-20T10:00Z, 2h (ago)'
complete -c dsmilctl -n '__dsmilctl_in record query' -l until -x -d 'up to'
complete -c dsmilctl -n '__dsmilctl_in record query' -l every -x -d 'one row for each such stretch'
complete -c dsmilctl -n '__dsmilctl_in record query' -l agg -x -d 'mean, min, max, sum, count, first, last, median, stddev'
complete -c dsmilctl -n '__dsmilctl_in record query' -l recording -x -d 'only this recording: id, name or last'
complete -c dsmilctl -n '__dsmilctl_in record query' -l limit -x -d 'at most so many rows; 0 is all'
complete -c dsmilctl -n '__dsmilctl_in record query' -l sql -x -d 'a SELECT over readings, events, …'
complete -c dsmilctl -n '__dsmilctl_in record query' -l archive -x -d 'another archive than that of this user'
complete -c dsmilctl -n '__dsmilctl_place 1 record query' -a '(__dsmilctl_selector)'
complete -c dsmilctl -n '__dsmilctl_place 2+ record query' -a '(__dsmilctl_words registers)'
complete -c dsmilctl -n '__dsmilctl_in record export' -l format -x -d 'csv, excel, json, ndjson, parquet, arrow or dsm'
complete -c dsmilctl -n '__dsmilctl_in record export' -l output -x -d 'where to, as an option'
complete -c dsmilctl -n '__dsmilctl_in record export' -l table -x -d 'operations, events, gaps, token_tests, … in place of readings'
complete -c dsmilctl -n '__dsmilctl_in record export' -l devices -x -d 'only these devices'
complete -c dsmilctl -n '__dsmilctl_in record export' -l registers -x -a '(__dsmilctl_words registers)' -d 'only these registers'
complete -c dsmilctl -n '__dsmilctl_in record export' -l since -x -d 'from: 2026-11-20T10:00Z, 2h (ago)'
complete -c dsmilctl -n '__dsmilctl_in record export' -l until -x -d 'up to'
complete -c dsmilctl -n '__dsmilctl_in record export' -l compress -x -d 'zstd or gzip; FILE.zst and FILE.gz say it, too'
complete -c dsmilctl -n '__dsmilctl_in record export' -l metadata -d 'write what is known of the recording to FILE.meta.json, too'
complete -c dsmilctl -n '__dsmilctl_in record export' -l escape-formulas -d 'csv: no text that a spreadsheet takes for a formula'
complete -c dsmilctl -n '__dsmilctl_in record export' -l lf -d 'csv: lines end with LF, not with CRLF'
complete -c dsmilctl -n '__dsmilctl_in record export' -l force -d 'write over a file that is there'
complete -c dsmilctl -n '__dsmilctl_in record export' -l archive -x -d 'another archive than that of this user'
complete -c dsmilctl -n '__dsmilctl_place 2 record export' -r -F
complete -c dsmilctl -n '__dsmilctl_in record import' -s n -l name -x -d 'what it is called here'
complete -c dsmilctl -n '__dsmilctl_in record import' -l format -x -d 'csv, excel, json, ndjson, parquet, arrow or dsm'
complete -c dsmilctl -n '__dsmilctl_in record import' -l archive -x -d 'another archive than that of this user'
complete -c dsmilctl -n '__dsmilctl_place 1 record import' -r -F
complete -c dsmilctl -n '__dsmilctl_in record replay' -l speed -x -d '1 as it was, 10 ten times as fast, 0 at once'
complete -c dsmilctl -n '__dsmilctl_in record replay' -l from -x -d 'begin there: 2026-11-20T10:00Z'
complete -c dsmilctl -n '__dsmilctl_in record replay' -l to -x -d 'end there'
complete -c dsmilctl -n '__dsmilctl_in record replay' -l count -x -d 'end after N lines of data'
complete -c dsmilctl -n '__dsmilctl_in record replay' -l archive -x -d 'another archive than that of this user'
complete -c dsmilctl -n '__dsmilctl_place 2 record replay' -a '(__dsmilctl_selector)'
complete -c dsmilctl -n '__dsmilctl_place 3+ record replay' -a '(__dsmilctl_words registers)'
complete -c dsmilctl -n '__dsmilctl_in record report' -l output -x -d 'a page: FILE.html, FILE.pdf, FILE.md or FILE.json'
complete -c dsmilctl -n '__dsmilctl_in record report' -l force -d 'write over a file that is there'
complete -c dsmilctl -n '__dsmilctl_in record report' -l archive -x -d 'another archive than that of this user'
complete -c dsmilctl -n '__dsmilctl_in record check' -l repair -d 'mend what is safe to mend, and say what'
complete -c dsmilctl -n '__dsmilctl_in record check' -l archive -x -d 'another archive than that of this user'
complete -c dsmilctl -n '__dsmilctl_in record maintain' -l keep-raw -x -d 'how long readings are kept; without it as set, or for ever'
complete -c dsmilctl -n '__dsmilctl_in record maintain' -l keep-seconds -x -d 'how long stretches of 1 s are kept'
complete -c dsmilctl -n '__dsmilctl_in record maintain' -l keep-minutes -x -d 'how long stretches of 1 min are kept'
complete -c dsmilctl -n '__dsmilctl_in record maintain' -l keep-hours -x -d 'how long stretches of 1 h are kept'
complete -c dsmilctl -n '__dsmilctl_in record maintain' -l dry-run -d 'go through every check, change nothing'
complete -c dsmilctl -n '__dsmilctl_in record maintain' -s y -l yes -d 'do not ask'
complete -c dsmilctl -n '__dsmilctl_in record maintain' -l archive -x -d 'another archive than that of this user'
complete -c dsmilctl -n '__dsmilctl_in record token' -l method -x -d 'begin: smbios-token-ctl, smi, direct or wmi'
complete -c dsmilctl -n '__dsmilctl_in record token' -l operation -x -d 'begin: read, write, toggle, probe or activate'
complete -c dsmilctl -n '__dsmilctl_in record token' -l initial -x -d 'begin: not read but given'
complete -c dsmilctl -n '__dsmilctl_in record token' -l set -x -d 'begin: what the test sets'
complete -c dsmilctl -n '__dsmilctl_in record token' -l expect -x -d 'begin, end: what should come out'
complete -c dsmilctl -n '__dsmilctl_in record token' -l final -x -d 'end: not read but given'
complete -c dsmilctl -n '__dsmilctl_in record token' -l outcome -x -d 'end, list: success or failed; for end else it is concluded'
complete -c dsmilctl -n '__dsmilctl_in record token' -l error -x -d 'end: what went wrong, as a code'
complete -c dsmilctl -n '__dsmilctl_in record token' -l message -x -d 'end: what went wrong'
complete -c dsmilctl -n '__dsmilctl_in record token' -l retries -x -d 'end: how often it was repeated'
complete -c dsmilctl -n '__dsmilctl_in record token' -l notes -x -d 'begin, end: what should be known'
complete -c dsmilctl -n '__dsmilctl_in record token' -l recording -x -d 'list: of this recording'
complete -c dsmilctl -n '__dsmilctl_in record token' -l limit -x -d 'list: at most so many; 0 is all'
complete -c dsmilctl -n '__dsmilctl_in record token' -l archive -x -d 'another archive than that of this user'

complete -c dsmilctl -n '__dsmilctl_at' -a backup -d 'copies of the archive: create, verify, restore, prune, schedule'
complete -c dsmilctl -n '__dsmilctl_at backup' -a create -d 'Back up the archive as it is now, while recording goes on, with settings, policy and journal'
complete -c dsmilctl -n '__dsmilctl_at backup' -a list -d 'List the backups, newest first, and what is wrong with those that cannot be read'
complete -c dsmilctl -n '__dsmilctl_at backup' -a show -d 'Show one backup: its files, the rows of each table, what was left out'
complete -c dsmilctl -n '__dsmilctl_at backup' -a verify -d 'Read backups back, every byte, open their database and count its rows; exit status 9 if damaged'
complete -c dsmilctl -n '__dsmilctl_at backup' -a restore -d 'Verify a backup and put it into the place of the archive, which is backed up before'
complete -c dsmilctl -n '__dsmilctl_at backup' -a prune -d 'Remove the backups that no rule keeps, and what only they needed'
complete -c dsmilctl -n '__dsmilctl_at backup' -a schedule -d 'Print, install or remove what makes backups by itself: a timer of systemd, or else a line of cron'
complete -c dsmilctl -n '__dsmilctl_in backup create' -s n -l name -x -d 'without one: the moment'
complete -c dsmilctl -n '__dsmilctl_in backup create' -l to -x -d 'into another folder, or to s3://… or sftp://…'
complete -c dsmilctl -n '__dsmilctl_in backup create' -l encrypt -d 'so that only a passphrase opens it'
complete -c dsmilctl -n '__dsmilctl_in backup create' -l passphrase-file -x -d 'what opens encrypted backups; - is stdin'
complete -c dsmilctl -n '__dsmilctl_in backup create' -l verify -l no-verify -d 'read everything back at once'
complete -c dsmilctl -n '__dsmilctl_in backup create' -l keep -x -d 'then let those go that no rule keeps: last=3,daily=14'
complete -c dsmilctl -n '__dsmilctl_in backup create' -l archive -x -d 'another archive than that of this user'
complete -c dsmilctl -n '__dsmilctl_in backup list' -l at -x -d 'those in another folder, or at s3://… or sftp://…'
complete -c dsmilctl -n '__dsmilctl_in backup show' -l passphrase-file -x -d 'what opens encrypted backups; - is stdin'
complete -c dsmilctl -n '__dsmilctl_in backup show' -l at -x -d 'those in another folder, or at s3://… or sftp://…'
complete -c dsmilctl -n '__dsmilctl_in backup verify' -l all -d 'every backup there is'
complete -c dsmilctl -n '__dsmilctl_in backup verify' -l passphrase-file -x -d 'what opens encrypted backups; - is stdin'
complete -c dsmilctl -n '__dsmilctl_in backup verify' -l at -x -d 'those in another folder, or at s3://… or sftp://…'
complete -c dsmilctl -n '__dsmilctl_in backup restore' -l to -x -d 'bring everything out into a new folder instead'
complete -c dsmilctl -n '__dsmilctl_in backup restore' -l recording -x -d 'only this one, which the archive lost'
complete -c dsmilctl -n '__dsmilctl_in backup restore' -l confirm -x -d 'the name, typed again'
complete -c dsmilctl -n '__dsmilctl_in backup restore' -l passphrase-file -x -d 'what opens encrypted backups; - is stdin'
complete -c dsmilctl -n '__dsmilctl_in backup restore' -l at -x -d 'those in another folder, or at s3://… or sftp://…'
complete -c dsmilctl -n '__dsmilctl_in backup restore' -l archive -x -d 'another archive than that of this user'
complete -c dsmilctl -n '__dsmilctl_in backup prune' -l keep-last -x -d 'the last N backups'
complete -c dsmilctl -n '__dsmilctl_in backup prune' -l keep-hourly -x -d 'the last one of each of N hours'
complete -c dsmilctl -n '__dsmilctl_in backup prune' -l keep-daily -x -d 'the last one of each of N days'
complete -c dsmilctl -n '__dsmilctl_in backup prune' -l keep-weekly -x -d 'the last one of each of N weeks'
complete -c dsmilctl -n '__dsmilctl_in backup prune' -l keep-monthly -x -d 'the last one of each of N months'
complete -c dsmilctl -n '__dsmilctl_in backup prune' -l keep-yearly -x -d 'the last one of each of N years'
complete -c dsmilctl -n '__dsmilctl_in backup prune' -l keep-within -x -d 'all that are so much older than the newest: 36h, 14d'
complete -c dsmilctl -n '__dsmilctl_in backup prune' -l dry-run -d 'go through every check, change nothing'
complete -c dsmilctl -n '__dsmilctl_in backup prune' -s y -l yes -d 'do not ask'
complete -c dsmilctl -n '__dsmilctl_in backup prune' -l at -x -d 'those in another folder, or at s3://… or sftp://…'
complete -c dsmilctl -n '__dsmilctl_in backup schedule' -l install -d 'have backups made from now on'
complete -c dsmilctl -n '__dsmilctl_in backup schedule' -l remove -d 'have none made any more'
complete -c dsmilctl -n '__dsmilctl_in backup schedule' -l status -d 'whether they are, and how the last went'
complete -c dsmilctl -n '__dsmilctl_in backup schedule' -l every -x -d 'hourly, daily, weekly, 15m, 6h'
complete -c dsmilctl -n '__dsmilctl_in backup schedule' -l keep -x -d 'what stays after each verified backup'
complete -c dsmilctl -n '__dsmilctl_in backup schedule' -l to -x -d 'into another folder, or to a URL'
complete -c dsmilctl -n '__dsmilctl_in backup schedule' -l passphrase-file -x -d 'encrypt them, with what is in it'
complete -c dsmilctl -n '__dsmilctl_in backup schedule' -l archive -x -d 'another archive than that of this user'

complete -c dsmilctl -n '__dsmilctl_at' -a emergency -d 'stop everything, see what is stopped, release it'
complete -c dsmilctl -n '__dsmilctl_at emergency' -a stop -d 'Stop everything, or the devices named.  Never asks'
complete -c dsmilctl -n '__dsmilctl_at emergency' -a status -d 'Show the emergency stops in force'
complete -c dsmilctl -n '__dsmilctl_at emergency' -a history -d 'Show the emergency stops there were, newest first'
complete -c dsmilctl -n '__dsmilctl_at emergency' -a release -d 'End an emergency stop.  Devices stay in their safe state until they are told otherwise'
complete -c dsmilctl -n '__dsmilctl_in emergency stop' -l reason -x -d 'why'
complete -c dsmilctl -n '__dsmilctl_in emergency stop' -l deadline -x -d 'how long to try: 2s, 500ms'
complete -c dsmilctl -n '__dsmilctl_place 1 emergency stop' -a '(__dsmilctl_selector)'
complete -c dsmilctl -n '__dsmilctl_in emergency history' -l limit -x -d 'at most so many'
complete -c dsmilctl -n '__dsmilctl_in emergency release' -l justification -x -d 'why it is safe again; the policy may ask for it'
complete -c dsmilctl -n '__dsmilctl_in emergency release' -l confirm -x -d 'the context\'s name, instead of typing it'
complete -c dsmilctl -n '__dsmilctl_in emergency release' -l approval -x -d 'a second person\'s approval, given on a server'

complete -c dsmilctl -n '__dsmilctl_at' -a context -d 'what dsmilctl talks to: this machine, the simulator, a fleet, a server'
complete -c dsmilctl -n '__dsmilctl_at context' -a list -d 'List the contexts; the current one is marked'
complete -c dsmilctl -n '__dsmilctl_at context' -a show -d 'Show one context with its drivers and their options'
complete -c dsmilctl -n '__dsmilctl_at context' -a use -d 'Make a context the current one'
complete -c dsmilctl -n '__dsmilctl_at context' -a previous -d 'Go back to the context that was current before'
complete -c dsmilctl -n '__dsmilctl_at context' -a add -d 'Add a context: a server, a fleet file, or a driver with options of its own'
complete -c dsmilctl -n '__dsmilctl_at context' -a remove -d 'Remove a context; what was recorded of it stays'
complete -c dsmilctl -n '__dsmilctl_place 1 context show' -a '(__dsmilctl_words contexts)'
complete -c dsmilctl -n '__dsmilctl_place 1 context use' -a '(__dsmilctl_words contexts)'
complete -c dsmilctl -n '__dsmilctl_in context add' -l url -x -d 'the server to talk to'
complete -c dsmilctl -n '__dsmilctl_in context add' -l fleet -x -d 'the fleet file that names its devices'
complete -c dsmilctl -n '__dsmilctl_in context add' -l driver -x -a '(__dsmilctl_words drivers)' -d 'the driver that reaches its devices'
complete -c dsmilctl -n '__dsmilctl_in context add' -l option -x -d 'an option of the driver'
complete -c dsmilctl -n '__dsmilctl_in context add' -l ca -x -d 'the authority of the server\'s certificate'
complete -c dsmilctl -n '__dsmilctl_in context add' -l cert -x -d 'the certificate that shows who one is: .pem or .p12'
complete -c dsmilctl -n '__dsmilctl_in context add' -l insecure -d 'take any certificate, or none at all'
complete -c dsmilctl -n '__dsmilctl_in context add' -l read-only -d 'let no change through, ever'
complete -c dsmilctl -n '__dsmilctl_place 1 context add' -a '(__dsmilctl_words contexts)'
complete -c dsmilctl -n '__dsmilctl_place 1 context remove' -a '(__dsmilctl_words contexts)'

complete -c dsmilctl -n '__dsmilctl_at' -a auth -d 'log in to the server of a context, log out, see who one is'
complete -c dsmilctl -n '__dsmilctl_at auth' -a login -d 'Log in to the server of the context.  A password is asked for or read from stdin, never an option'
complete -c dsmilctl -n '__dsmilctl_at auth' -a logout -d 'End the session at the server and forget the login here, also where the server is not reached'
complete -c dsmilctl -n '__dsmilctl_at auth' -a status -d 'Show the login that is kept for the context; asks no server'
complete -c dsmilctl -n '__dsmilctl_at auth' -a whoami -d 'Ask the server who one is to it, and what one may do'
complete -c dsmilctl -n '__dsmilctl_at auth' -a refresh -d 'Renew the login now'
complete -c dsmilctl -n '__dsmilctl_at auth' -a sessions -d 'List one\'s own sessions at the server'
complete -c dsmilctl -n '__dsmilctl_at auth' -a token -d 'Print the access token, renewed if need be, for another program.  Whoever has it is you'
complete -c dsmilctl -n '__dsmilctl_in auth login' -l password-stdin -d 'the password is a line on stdin'
complete -c dsmilctl -n '__dsmilctl_in auth login' -l mfa -x -d 'the six digits of an authenticator'
complete -c dsmilctl -n '__dsmilctl_in auth login' -l cert -x -d 'log in by certificate: .p12 or .pem'
complete -c dsmilctl -n '__dsmilctl_in auth login' -l service-token-file -x -d 'log in by the token of a service account; - is stdin'
complete -c dsmilctl -n '__dsmilctl_in auth logout' -l session -x -d 'end this session of yours instead: auth sessions lists them'

complete -c dsmilctl -n '__dsmilctl_at' -a system -d 'status, capabilities and health of the context'
complete -c dsmilctl -n '__dsmilctl_at system' -a status -d 'Show what the fleet is made of and how it is'
complete -c dsmilctl -n '__dsmilctl_at system' -a capabilities -d 'Show what this context can do: operations, limits, drivers'
complete -c dsmilctl -n '__dsmilctl_at system' -a health -d 'Check that each part works; exit status 9 when one does not'

complete -c dsmilctl -n '__dsmilctl_at' -a driver -d 'the installed drivers: what they can do, and switching them off'
complete -c dsmilctl -n '__dsmilctl_at driver' -a list -d 'List the installed drivers; one that cannot be used says why and how to mend it'
complete -c dsmilctl -n '__dsmilctl_at driver' -a show -d 'Show one driver: capabilities, commands, where it comes from, and what it looked for in vain'
complete -c dsmilctl -n '__dsmilctl_at driver' -a enable -d 'Enable a driver again'
complete -c dsmilctl -n '__dsmilctl_at driver' -a disable -d 'Disable a driver: its devices are closed, and no context opens them until it is enabled'
complete -c dsmilctl -n '__dsmilctl_place 1 driver show' -a '(__dsmilctl_words drivers)'
complete -c dsmilctl -n '__dsmilctl_in driver enable' -l reason -x -d 'why'
complete -c dsmilctl -n '__dsmilctl_place 1 driver enable' -a '(__dsmilctl_words drivers)'
complete -c dsmilctl -n '__dsmilctl_in driver disable' -l reason -x -d 'why'
complete -c dsmilctl -n '__dsmilctl_place 1 driver disable' -a '(__dsmilctl_words drivers)'

complete -c dsmilctl -n '__dsmilctl_at' -a approval -d 'the consent of a second person: ask, list, approve, reject'
complete -c dsmilctl -n '__dsmilctl_at approval' -a list -d 'List the approvals, newest first'
complete -c dsmilctl -n '__dsmilctl_at approval' -a request -d 'Ask a second person to let exactly one operation through, once, within fifteen minutes'
complete -c dsmilctl -n '__dsmilctl_at approval' -a approve -d 'Consent to what somebody else asked for; it covers that one operation, once'
complete -c dsmilctl -n '__dsmilctl_at approval' -a reject -d 'Refuse what somebody else asked for'
complete -c dsmilctl -n '__dsmilctl_in approval list' -l status -x -a 'pending approved rejected used expired' -d 'pending, approved, rejected, used or expired'
complete -c dsmilctl -n '__dsmilctl_in approval request' -l operation -x -d 'read, write, config, activate, deactivate, reset'
complete -c dsmilctl -n '__dsmilctl_in approval request' -l release -d 'the release of an emergency stop'
complete -c dsmilctl -n '__dsmilctl_in approval request' -l stop-id -x -d 'with --release: of this stop alone'
complete -c dsmilctl -n '__dsmilctl_in approval request' -l justification -x -d 'why; the policy may ask for it'
complete -c dsmilctl -n '__dsmilctl_place 1 approval request' -a '(__dsmilctl_selector)'
complete -c dsmilctl -n '__dsmilctl_place 2 approval request' -a '(__dsmilctl_words registers)'
complete -c dsmilctl -n '__dsmilctl_in approval approve' -l justification -x -d 'why; the policy may ask for it'
complete -c dsmilctl -n '__dsmilctl_in approval reject' -l justification -x -d 'why; the policy may ask for it'

complete -c dsmilctl -n '__dsmilctl_at' -a audit -d 'the journal of every change: show, verify, export'
complete -c dsmilctl -n '__dsmilctl_at audit' -a log -d 'Show the journal, newest first: who asked for what, what was decided, how it ended'
complete -c dsmilctl -n '__dsmilctl_at audit' -a show -d 'Show one record whole'
complete -c dsmilctl -n '__dsmilctl_at audit' -a verify -d 'Check that no record was changed, removed, inserted or reordered; exit status 9 and the first bad one'
complete -c dsmilctl -n '__dsmilctl_at audit' -a export -d 'Write where the journal ends into a small file, to be kept where nobody can change it'
complete -c dsmilctl -n '__dsmilctl_at audit' -a restart -d 'Go on with a new segment behind a damaged journal, which stays as evidence'
complete -c dsmilctl -n '__dsmilctl_in audit log' -l device -x -a '(__dsmilctl_selector)' -d 'only of this device'
complete -c dsmilctl -n '__dsmilctl_in audit log' -l since -x -d 'from: 2026-11-20T10:00Z, 2h (ago)'
complete -c dsmilctl -n '__dsmilctl_in audit log' -l until -x -d 'up to'
complete -c dsmilctl -n '__dsmilctl_in audit log' -l action -x -d 'only these: device.write, device.*, …'
complete -c dsmilctl -n '__dsmilctl_in audit log' -l outcome -x -d 'only INTENT, SUCCESS, FAILED, DENIED, TIMEOUT, UNKNOWN'
complete -c dsmilctl -n '__dsmilctl_in audit log' -l user -x -d 'only of this user'
complete -c dsmilctl -n '__dsmilctl_in audit log' -l limit -x -d 'at most so many'
complete -c dsmilctl -n '__dsmilctl_in audit log' -l offset -x -d 'leave out so many of the newest'
complete -c dsmilctl -n '__dsmilctl_in audit verify' -l anchor -x -d 'an exported anchor that must be there'
complete -c dsmilctl -n '__dsmilctl_place 1 audit export' -r -F
complete -c dsmilctl -n '__dsmilctl_in audit restart' -l reason -x -d 'why the chain is begun anew'
complete -c dsmilctl -n '__dsmilctl_in audit restart' -s y -l yes -d 'do not ask'

complete -c dsmilctl -n '__dsmilctl_at' -a sim -d 'the simulated devices'
complete -c dsmilctl -n '__dsmilctl_at sim' -a serve -d 'Serve simulated devices over the DSMIL API on this machine, with demo accounts, until interrupted'
complete -c dsmilctl -n '__dsmilctl_at sim' -a reset -d 'Forget everything that was written to the simulated devices of the context'
complete -c dsmilctl -n '__dsmilctl_in sim serve' -l port -x -d '0 takes a free one'
complete -c dsmilctl -n '__dsmilctl_in sim serve' -l devices -x -d 'how many'
complete -c dsmilctl -n '__dsmilctl_in sim serve' -l layout -x -d 'dense or nibble'
complete -c dsmilctl -n '__dsmilctl_in sim serve' -l seed -x -d 'another one gives other signals'
complete -c dsmilctl -n '__dsmilctl_in sim serve' -l fault -x -d 'silent, slow, flapping, wrong, disconnect'
complete -c dsmilctl -n '__dsmilctl_in sim serve' -l rate-limit -l no-rate-limit -d 'as a real server'
complete -c dsmilctl -n '__dsmilctl_in sim serve' -l approvals -l no-approvals -d 'ask for a second person, as a real server'
complete -c dsmilctl -n '__dsmilctl_in sim serve' -l host -d 'this machine\'s own sensors, too'
complete -c dsmilctl -n '__dsmilctl_in sim serve' -l kind -x -d 'dsmil'
complete -c dsmilctl -n '__dsmilctl_in sim serve' -l past -x -d 'how far back readings reach, failures among them'
complete -c dsmilctl -n '__dsmilctl_in sim serve' -l record -d 'keep readings: `record query` asks for them'
complete -c dsmilctl -n '__dsmilctl_in sim serve' -l record-interval -x -d 'from one kept reading to the next'
complete -c dsmilctl -n '__dsmilctl_in sim reset' -s y -l yes -d 'do not ask'

complete -c dsmilctl -n '__dsmilctl_at' -a serve -d 'a gateway: this fleet over the DSMIL API'
complete -c dsmilctl -n '__dsmilctl_in serve' -l users -x -d 'who may come in; without it those of `dsmilctl user list`'
complete -c dsmilctl -n '__dsmilctl_in serve' -l host -x -d 'where to listen'
complete -c dsmilctl -n '__dsmilctl_in serve' -l port -x -d '0 takes a free one'
complete -c dsmilctl -n '__dsmilctl_in serve' -l tls-cert -x -d 'certificate in PEM'
complete -c dsmilctl -n '__dsmilctl_in serve' -l tls-key -x -d 'its private key in PEM'
complete -c dsmilctl -n '__dsmilctl_in serve' -l client-ca -x -d 'clients may prove a certificate of this CA'
complete -c dsmilctl -n '__dsmilctl_in serve' -l settings -x -d 'lives of tokens and approvals, lockout, limits, signing key'
complete -c dsmilctl -n '__dsmilctl_in serve' -l insecure -d 'listen beyond loopback without TLS'
complete -c dsmilctl -n '__dsmilctl_in serve' -l record -d 'keep readings: `record query` asks for them'
complete -c dsmilctl -n '__dsmilctl_in serve' -l record-interval -x -d 'from one kept reading to the next'

complete -c dsmilctl -n '__dsmilctl_at' -a user -d 'who may come in to a server'
complete -c dsmilctl -n '__dsmilctl_at user' -a add -d 'Add a user; the password is asked for, or a line on stdin, and never part of the command line'
complete -c dsmilctl -n '__dsmilctl_at user' -a list -d 'List the users; nothing of what they know is shown'
complete -c dsmilctl -n '__dsmilctl_at user' -a disable -d 'Keep a user out, from this moment on: open sessions end with their next request'
complete -c dsmilctl -n '__dsmilctl_at user' -a passwd -d 'Give a user another password'
complete -c dsmilctl -n '__dsmilctl_at user' -a totp -d 'Give a user a new second factor, shown once, for an authenticator app'
complete -c dsmilctl -n '__dsmilctl_in user add' -l clearance -x -d 'RESTRICTED to COSMIC'
complete -c dsmilctl -n '__dsmilctl_in user add' -l devices -x -d '0x8000-0x803B,boiler-1; without it all'
complete -c dsmilctl -n '__dsmilctl_in user add' -l compartment -x -d 'may be repeated'
complete -c dsmilctl -n '__dsmilctl_in user add' -l person -x -d 'who has this account, where somebody has several'
complete -c dsmilctl -n '__dsmilctl_in user add' -l certificate -x -d 'a client certificate that logs in'
complete -c dsmilctl -n '__dsmilctl_in user add' -l service-token -d 'make a token that logs in without a password, shown once'
complete -c dsmilctl -n '__dsmilctl_in user add' -l no-password -d 'no login by password'
complete -c dsmilctl -n '__dsmilctl_in user add' -l password-stdin -d 'the password is a line on stdin'
complete -c dsmilctl -n '__dsmilctl_in user add' -l users -x -d 'a server\'s file of users, instead of your own'
complete -c dsmilctl -n '__dsmilctl_in user list' -l users -x -d 'a server\'s file of users, instead of your own'
complete -c dsmilctl -n '__dsmilctl_in user disable' -l undo -d 'let the user in again'
complete -c dsmilctl -n '__dsmilctl_in user disable' -l users -x -d 'a server\'s file of users, instead of your own'
complete -c dsmilctl -n '__dsmilctl_in user passwd' -l password-stdin -d 'the password is a line on stdin'
complete -c dsmilctl -n '__dsmilctl_in user passwd' -l users -x -d 'a server\'s file of users, instead of your own'
complete -c dsmilctl -n '__dsmilctl_in user totp' -l off -d 'ask for no second factor any more'
complete -c dsmilctl -n '__dsmilctl_in user totp' -l users -x -d 'a server\'s file of users, instead of your own'

complete -c dsmilctl -n '__dsmilctl_at' -a config -d 'settings: where each one comes from, change, validate'
complete -c dsmilctl -n '__dsmilctl_at config' -a show -d 'Show every setting, first of all the context that is current'
complete -c dsmilctl -n '__dsmilctl_at config' -a set -d 'Change a setting in the user\'s file; comments in it stay'
complete -c dsmilctl -n '__dsmilctl_at config' -a validate -d 'Check settings, contexts and fleet files: every mistake, with line and column; exit status 2 for any'
complete -c dsmilctl -n '__dsmilctl_at config' -a path -d 'Show where settings, contexts, policy, state, archives and caches lie'
complete -c dsmilctl -n '__dsmilctl_in config show' -l origin -d 'say where each value comes from'
complete -c dsmilctl -n '__dsmilctl_in config set' -l project -d 'in this project\'s .dsmilctl.toml'
complete -c dsmilctl -n '__dsmilctl_place 1 config validate' -r -F

complete -c dsmilctl -n '__dsmilctl_at' -a doctor -d 'check this installation and say what to mend'
complete -c dsmilctl -n '__dsmilctl_in doctor' -l bundle -x -d 'write a report for others, too'

complete -c dsmilctl -n '__dsmilctl_at' -a completion -d 'completion scripts for bash, zsh and fish'
complete -c dsmilctl -n '__dsmilctl_at completion' -a bash -d 'Print the completion script for bash'
complete -c dsmilctl -n '__dsmilctl_at completion' -a zsh -d 'Print the completion script for zsh'
complete -c dsmilctl -n '__dsmilctl_at completion' -a fish -d 'Print the completion script for fish'

complete -c dsmilctl -n '__dsmilctl_at' -a tui -d 'the dashboard'
complete -c dsmilctl -n '__dsmilctl_in tui' -l low-bandwidth -d 'paint less on a slow line'

complete -c dsmilctl -n '__dsmilctl_at' -a demo -d 'a tour of everything in a throw-away folder'
complete -c dsmilctl -n '__dsmilctl_in demo' -l seconds -x -d 'how long to follow readings'
