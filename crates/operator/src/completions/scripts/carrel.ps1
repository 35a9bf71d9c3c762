# Words for carrel, which knows them itself: carrel completions powershell -o text | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName carrel -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $before = @($commandAst.CommandElements |
        Where-Object { $_.Extent.EndOffset -lt $cursorPosition } |
        ForEach-Object { $_.Extent.Text.Trim([char]34, [char]39) })
    $typed = $wordToComplete.Trim([char]34, [char]39)
    $null | carrel completions powershell --output json "--typed=$typed" -- @before 2>$null | ForEach-Object {
        $word, $told = $_ -split "`t", 2
        if (-not $told) { $told = $word }
        [System.Management.Automation.CompletionResult]::new($word, $word, 'ParameterValue', $told)
    }
}
