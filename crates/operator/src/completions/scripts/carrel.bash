# Words for carrel, which knows them itself: source <(carrel completions bash -o text)
_carrel() {
    local word
    COMPREPLY=()
    while IFS= read -r word; do
        COMPREPLY+=("$word")
    done < <(command carrel completions bash --output json --typed="$2" \
        --line="${COMP_LINE:0:COMP_POINT}" 2>/dev/null </dev/null)
}
complete -o bashdefault -o default -F _carrel carrel
