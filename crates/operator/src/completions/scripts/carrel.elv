# Words for carrel, which knows them itself: eval (carrel completions elvish -o text | slurp)
use str
set edit:completion:arg-completer[carrel] = {|@words|
    try {
        (external carrel) completions elvish --output json --typed=$words[-1] -- (all $words[..-1]) ^
            2>/dev/null </dev/null | each {|line|
            var word told = (str:split &max=2 "\t" $line)
            var shown = $word
            if (not-eq $told '') {
                set shown = $word'  '$told
            }
            edit:complex-candidate $word &display=$shown
        }
    } catch {
        nop
    }
}
