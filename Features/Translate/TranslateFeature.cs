using ChatBackend.Features.Translate.Translating;
using ChatBackend.Infrastructure.Configuration;

namespace ChatBackend.Features.Translate;

internal static class TranslateFeature
{
    /// <summary>Registers <see cref="DocumentTranslator"/>.</summary>
    public static void AddTranslate(this WebApplicationBuilder builder)
    {
        builder.BindOptions<TranslationLimits>(nameof(TranslationLimits));
        builder.Services.AddSingleton<DocumentTranslator>();
    }
}
