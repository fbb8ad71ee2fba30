using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Text;
using System.Text.Json;
using ChatBackend.Features.Ingest.Jobs;
using ChatBackend.Infrastructure.Docusaurus;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Http.OpenApi;
using FluentValidation;
using Microsoft.AspNetCore.Mvc;

namespace ChatBackend.Features.Ingest.Uploads;

/// <summary>A book, whole or in part.</summary>
/// <param name="Documents">At most 20,000, with 100 MB of text in all.</param>
/// <param name="Prune">The documents are the whole book: those that they lack are removed from the index. <c>?prune=</c> is the same.</param>
/// <param name="Plan">A dry run: the job's report says what would change. <c>?plan=</c> is the same.</param>
/// <param name="Site">What <c>ChatBackend manifest</c> wrote of the built site, before <c>documents</c>: what the site does not publish is left out,
/// and addresses and anchors are the site's. In a zip it is the file <c>site.json</c>.</param>
/// <example>{"prune":false,"plan":false,"site":null}</example>
internal sealed record IngestRequest([property: Required] IReadOnlyList<IngestDocument> Documents, bool Prune = false, bool Plan = false, JsonElement? Site = null);

/// <summary>A page of the book.</summary>
/// <param name="Path">Its path in the book's folder, which decides its address.</param>
/// <param name="Content">Its Markdown or MDX with the front matter, to 2 MB.</param>
/// <param name="Title">Replaces the page's own title.</param>
/// <param name="Url">Replaces the address that Docusaurus would give the page.</param>
/// <example>{"path":"module-1/01-nodes.md","content":"# Nodes\n\nA node is a process.","title":null,"url":null}</example>
internal sealed record IngestDocument([property: Required] string? Path, [property: Required] string? Content, string? Title = null, string? Url = null);

internal sealed class IngestRequestValidator : AbstractValidator<IngestRequest>
{
    private const int MaxLength = 2_000;

    public IngestRequestValidator() => RuleForEach(r => r.Documents).ChildRules(document =>
    {
        document.RuleFor(d => d.Path).NotEmpty().WithMessage("must not be empty.");
        document.RuleFor(d => d.Content).NotNull().WithMessage("must not be missing.")
            .Must(c => c is null || c.Length <= BookFolder.MaxBytes / 3 || Encoding.UTF8.GetByteCount(c) <= BookFolder.MaxBytes)
            .WithMessage($"must be {BookFolder.MaxBytes / 1024 / 1024} MB or less.");
        document.RuleFor(d => d.Title).Must(t => ValidationFilter.Length(t) <= MaxLength).WithMessage($"must be {MaxLength} characters or fewer.").StorableText();
        document.RuleFor(d => d.Url).Must(u => ValidationFilter.Length(u) <= MaxLength).WithMessage($"must be {MaxLength} characters or fewer.").StorableText();
    });
}

/// <summary>Flags are bound as text, so that a problem can name the one that is wrong.</summary>
internal sealed record IngestQuery
{
    [FromQuery(Name = "prune"), AllowedValues("true", "false", null), DefaultValue("false")]
    [Description("`true`: the upload is the whole book. Documents that it lacks are removed, and it takes the place of the uploads that wait.")]
    public string? Prune { get; init; }

    [FromQuery(Name = "plan"), AllowedValues("true", "false", null), DefaultValue("false")]
    [Description("`true`: a dry run, which writes nothing to the index.")]
    public string? Plan { get; init; }

    [FromQuery(Name = "root"), StringLength(UploadedDocument.MaxPathLength)]
    [Description("Of a zip: the folder in it that is the book's, such as `website/docs`. By default `docs`, if all pages are below it, or in `i18n` and `versioned_docs` beside it; else the top.")]
    [Example("docs")]
    public string? Root { get; init; }

    [FromQuery(Name = "version"), StringLength(UploadedDocument.MaxPathLength)]
    [Description("Of a zip with `versioned_docs` and `versions.json`: the version to ingest. By default Docusaurus' current version, the docs folder.")]
    public string? Version { get; init; }
}

internal sealed class IngestQueryValidator : AbstractValidator<IngestQuery>
{
    public IngestQueryValidator()
    {
        RuleFor(q => q.Prune).Must(IsFlag).WithMessage("prune must be true or false.");
        RuleFor(q => q.Plan).Must(IsFlag).WithMessage("plan must be true or false.");
        RuleFor(q => q.Version).Must(v => v is null or { Length: > 0 and <= UploadedDocument.MaxPathLength }).WithMessage($"version must have 1 to {UploadedDocument.MaxPathLength} characters.");
        RuleFor(q => q.Root).Must(r => r is null or { Length: <= UploadedDocument.MaxPathLength }).WithMessage($"root must be {UploadedDocument.MaxPathLength} characters or fewer.");
    }

    private static bool IsFlag(string? value) => value is null or "true" or "false";
}
