#compdef dsmilctl
# Completion of dsmilctl for zsh.  Generated from the command tree: `make docs` writes it anew.
#
# No process is started: nouns, verbs, options and fixed choices stand in this file; devices, registers,
# contexts and drivers are read from files that dsmilctl leaves in its cache folder.  What is read there is
# compared and quoted, never evaluated.

zmodload -F zsh/mapfile p:mapfile

# @TABLES@
# The folder of words.
_dsmilctl_folder() {
  if [[ -n $DSMIL_HOME ]]; then
    REPLY=$DSMIL_HOME/cache/completion
  elif [[ $XDG_CACHE_HOME == /* ]]; then
    REPLY=$XDG_CACHE_HOME/dsmilctl/completion
  elif [[ $OSTYPE == darwin* ]]; then
    REPLY=$HOME/Library/Caches/dsmilctl/completion
  else
    REPLY=$HOME/.cache/dsmilctl/completion
  fi
}

# The words of one kind as `lines`, from the file of the context that the command line names.
_dsmilctl_lines() {
  local REPLY context=$_dsmilctl_context
  _dsmilctl_folder
  lines=()
  if [[ $1 == (devices|registers) ]]; then
    context=${context:-${${mapfile[$REPLY/current]}%%$'\t'*}}
    context=${context:-local}
    [[ $context == [[:alnum:]][[:alnum:]._-]# ]] || return
    REPLY+=/$context
  fi
  lines=("${(@f)mapfile[$REPLY/$1]}")
  lines=("${(@M)lines:#[^[:cntrl:]]##($'\t'[^[:cntrl:]]#|)}")
}

# Offer the words of one kind, each with its meaning.
_dsmilctl_words() {
  local -a lines words shown
  _dsmilctl_lines $1
  (( $#lines )) || return 1
  words=("${(@)lines%%$'\t'*}")
  shown=("${(@)lines/$'\t'/  }")
  _wanted $1 expl ${1%s} compadd -l -d shown -a words
}

# Offer what a selector may go on with, after its last comma.
_dsmilctl_selector() {
  compset -P '*,'
  if [[ -n $PREFIX ]]; then
    _wanted filters expl filter compadd -a _dsmilctl_filters && return
  fi
  _dsmilctl_words devices
}

# A noun with its verbs.
_dsmilctl_level() {
  local curcontext=$curcontext state line
  typeset -A opt_args
  _arguments -C -S : $_dsmilctl_globals '(-)1: :->verb' '(-)*:: :->rest'
  case $state in
    verb) _dsmilctl_at_${1}_verbs ;;
    rest) _dsmilctl_run $1_$words[1] ;;
  esac
}

# The function of a noun or a command, if there is such a one.
_dsmilctl_run() {
  [[ $1 == [a-z_-]## ]] && (( $+functions[_dsmilctl_at_$1] )) && _dsmilctl_at_$1
}

_dsmilctl() {
  setopt local_options extended_glob
  local curcontext=$curcontext state line index _dsmilctl_context=$DSMIL_CONTEXT
  typeset -A opt_args
  for ((index = 2; index < CURRENT; index++)); do
    case $words[index] in
      -C | --context) _dsmilctl_context=$words[index+1] ;;
      --context=*) _dsmilctl_context=${words[index]#*=} ;;
    esac
  done
  _arguments -C -S : $_dsmilctl_globals '(-)1: :->noun' '(-)*:: :->rest'
  case $state in
    noun) _dsmilctl_at_nouns ;;
    rest) _dsmilctl_run $words[1] ;;
  esac
}

if [[ $funcstack[1] == _dsmilctl ]]; then
  _dsmilctl "$@"
else
  compdef _dsmilctl dsmilctl
fi
