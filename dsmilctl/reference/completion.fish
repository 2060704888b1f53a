# Completion of dsmilctl for fish 3.1 and newer.  Generated from the command tree: `make docs` writes it anew.
#
# No process is started: nouns, verbs, options and fixed choices stand in this file; devices, registers,
# contexts and drivers are read from files that dsmilctl leaves in its cache folder.  What is read there is
# compared and quoted, never evaluated.

# @TABLES@

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
