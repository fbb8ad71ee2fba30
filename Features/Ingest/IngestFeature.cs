using ChatBackend.Infrastructure.Search;

namespace ChatBackend.Features.Ingest;

/// <summary>Getting a book into the index.</summary>
internal static class IngestFeature
{
    public static void AddIngest(this WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton<MarkdownChunker>();
        builder.Services.AddSingleton<BookIngest>();

        var byDefault = builder.Environment.IsDevelopment() ? "on" : "off";
        if ((builder.Configuration["SAMPLE_BOOK"] ?? byDefault) != "on")
            return;
        builder.Services.AddHostedService<IngestSampleBook>();
        builder.Services.PostConfigure<SiteOptions>(site => site.BookTitle ??= IngestSampleBook.FindTitle(builder.Environment));
    }
}
