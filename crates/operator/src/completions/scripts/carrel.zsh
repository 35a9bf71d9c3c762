#compdef carrel
# Words for carrel, which knows them itself: source <(carrel completions zsh -o text)
_carrel() {
    local -a found shown
    local line
    for line in "${(@f)$(command carrel completions zsh --output json --typed="${(Q)PREFIX}" \
        -- "${(@Q)words[1,CURRENT-1]}" 2>/dev/null </dev/null)}"; do
        [[ -n $line ]] || continue
        found+=("${line%%$'\t'*}")
        if [[ -n ${line#*$'\t'} ]]; then
            shown+=("${line/$'\t'/  -- }")
        else
            shown+=("${line%%$'\t'*}")
        fi
    done
    if (( ${#found} )); then
        compadd -l -d shown -a found
    else
        _files
    fi
}
if [[ ${funcstack[1]} == _carrel ]]; then
    _carrel "$@"
else
    compdef _carrel carrel
fi
