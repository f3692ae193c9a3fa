#Requires -Version 7.0
<#
.SYNOPSIS
Asks the service why mails came back.
.EXAMPLE
./Get-BounceReason.ps1 -Path ./bounces/*.eml | Sort-Object Category | Format-Table
.EXAMPLE
./Get-BounceReason.ps1 -Path ndr.msg -Url https://ndr.example.com -Key $env:NDR_KEY
#>
param(
    [Parameter(Mandatory, ValueFromPipeline)][string[]]$Path,
    [string]$Url = $(if ($env:NDR_URL) { $env:NDR_URL } else { 'http://127.0.0.1:8080' }),
    [string]$Key = $env:NDR_KEY,
    [ValidateSet('en', 'zh')][string]$Language = 'en'
)
begin {
    $ErrorActionPreference = 'Stop'
    $headers = @{ 'Accept-Language' = $Language }
    if ($Key) { $headers['Authorization'] = "Bearer $Key" }
}
process {
    foreach ($file in Get-Item -Path $Path) {
        $type = if ($file.Extension -eq '.msg') { 'application/vnd.ms-outlook' } else { 'message/rfc822' }
        $answer = Invoke-RestMethod -Method Post -Uri "$Url/v1/classify" -Headers $headers -ContentType $type `
            -InFile $file.FullName -TimeoutSec 30 -MaximumRetryCount 2 -RetryIntervalSec 2
        [pscustomobject]@{
            File       = $file.Name
            Kind       = $answer.kind
            Category   = $answer.category
            Action     = $answer.action
            Confidence = $answer.confidence
            Title      = $answer.title
        }
    }
}
