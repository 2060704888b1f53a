# Completion of dsmilctl for bash 3.2 and newer.  Generated from the command tree: `make docs` writes it anew.
#
# No process is started: nouns, verbs, options and fixed choices stand in this file; devices, registers,
# contexts and drivers are read from files that dsmilctl leaves in its cache folder.  What is read there is
# compared and quoted, never evaluated.

# @TABLES@

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
