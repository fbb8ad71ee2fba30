using ChatBackend.Infrastructure.Docusaurus;
using ChatBackend.Infrastructure.Health;

namespace ChatBackend.Features.Ingest;

internal static class IngestFeature
{
    public static void AddIngest(this WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton<MarkdownChunker>();
        builder.Services.AddSingleton<BookIngest>();

        var byDefault = builder.Environment.IsDevelopment() ? "on" : "off";
        if ((builder.Configuration["SAMPLE_BOOK"] ?? byDefault) != "on")
            return;
        builder.Services.PostConfigure<SiteOptions>(site => site.BookTitle ??= IngestSampleBook.FindTitle(builder.Environment));
        builder.Services.AddSingleton<IngestSampleBook>();
        builder.Services.AddHostedService(services => services.GetRequiredService<IngestSampleBook>());
        builder.Services.AddSingleton(services =>
        {
            var book = services.GetRequiredService<IngestSampleBook>();
            return new Dependency("sample_book", IsRequired: false, _ => book.IsIngested ? Task.FromResult("ingested") : throw new NotReadyException(book.State))
            {
                Started = book.Tried,
            };
        });
    }
}
