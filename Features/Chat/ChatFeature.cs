using ChatBackend.Features.Chat.AiSdk;
using ChatBackend.Features.Chat.Answering;
using ChatBackend.Features.Chat.ChatKit;
using ChatBackend.Features.Chat.Mcp;
using ChatBackend.Features.Chat.OpenAi;
using ChatBackend.Features.Chat.Retention;
using ChatBackend.Features.Chat.Sessions;
using ChatBackend.Features.Chat.Stopping;
using ChatBackend.Features.Chat.Turns;
using ChatBackend.Infrastructure.Auth;
using ChatBackend.Infrastructure.Configuration;
using ChatBackend.Infrastructure.Conversations;
using ChatBackend.Infrastructure.Http.OpenApi;
using ChatBackend.Infrastructure.Http.Problems;
using FluentValidation;

namespace ChatBackend.Features.Chat;

internal static class ChatFeature
{
    public static void AddChat(this WebApplicationBuilder builder)
    {
        builder.BindOptions<TurnOptions>("Turns");
        builder.BindOptions<RetentionOptions>();
        builder.Services.AddSingleton<IValidator<ChatRequest>, ChatRequestValidator>();
        builder.Services.AddSingleton<IValidator<AiSdkRequest>, AiSdkRequestValidator>();
        builder.Services.AddSingleton<IValidator<CompletionRequest>, CompletionRequestValidator>();
        builder.Services.AddSingleton<IValidator<ChatKitRequest>, ChatKitRequestValidator>();
        builder.Services.AddSingleton<IValidator<FeedbackRequest>, FeedbackRequestValidator>();
        builder.Services.AddSingleton<IValidator<ListSessionsRequest>, ListSessionsRequestValidator>();
        builder.Services.AddSingleton<IValidator<SessionPatch>, SessionPatchValidator>();
        builder.Services.AddSingleton<BookOutline>();
        builder.Services.AddSingleton<Retrieval>();
        builder.Services.AddSingleton<AnswerWriter>();
        builder.Services.AddSingleton<TurnReader>();
        builder.Services.AddSingleton<EndTurn>();
        builder.Services.AddSingleton<TurnRunner>();
        builder.Services.AddSingleton<TurnOpener>();
        builder.Services.AddSingleton<TurnAnswers>();
        builder.Services.AddSingleton<UnattendedTurns>();
        builder.Services.AddSingleton<TurnLeases>();
        // Services stop in reverse order: while TurnLeases waits for the turns, their readers can stop them.
        builder.Services.AddHostedService<TurnStops>();
        builder.Services.AddHostedService(services => services.GetRequiredService<TurnLeases>());
        builder.Services.AddSingleton<OldConversations>();
        builder.Services.AddHostedService(services => services.GetRequiredService<OldConversations>());
        builder.Services.AddSingleton<ChatKitThreads>();
        builder.AddMcp();
    }

    public static void MapChat(this IEndpointRouteBuilder routes)
    {
        var chat = routes.MapFeature("/chat", "Chat").AcceptToken();

        chat.MapPostChat();
        chat.MapGetTurn();
        chat.MapGetTurnEvents();
        chat.MapStopTurn();
        chat.MapRegenerateTurn();
        chat.MapListMessages();
        chat.MapDeleteSession();
        chat.MapPutFeedback();

        var own = routes.MapFeature("/chat", "Chat").RequireToken();

        own.MapListSessions();
        own.MapPatchSession();
        own.MapClaimSession();

        var aiSdk = routes.MapFeature("/api/chat", "AI SDK").AcceptToken().WithProblemShape(PostAiSdkChat.Errors);

        aiSdk.MapPostAiSdkChat();
        aiSdk.MapGetAiSdkStream();

        var openAi = routes.MapFeature("/v1", "OpenAI").AcceptCompatibleKey().WithProblemShape(Completion.Errors);

        openAi.MapPostCompletion();
        openAi.MapListModels();

        routes.MapFeature("/chatkit", "ChatKit").AcceptToken().MapPostChatKit();

        routes.MapMcp();
    }
}
